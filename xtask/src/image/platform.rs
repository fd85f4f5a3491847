//! A Rust target, and what OCI calls it.

use anyhow::{Context, Result, bail};
use oci_spec::image::Arch;

use crate::shell;

/// One processor that the image is for.
pub(super) struct Platform {
    /// Rust's name, such as `x86_64-unknown-linux-gnu`.
    pub(super) triple: String,
    /// OCI's name (`GOARCH`).
    pub(super) arch: Arch,
}

impl Platform {
    /// Refuses what Weir cannot run on, and a target whose standard library is not installed.
    pub(super) fn of(triple: &str) -> Result<Self> {
        let arch = match triple.split_once("-unknown-linux-") {
            Some(("x86_64", "gnu" | "musl")) => Arch::Amd64,
            Some(("aarch64", "gnu" | "musl")) => Arch::ARM64,
            _ => bail!(
                "--target {triple}: images are made for x86_64 and aarch64, as <processor>-unknown-linux-gnu or -musl"
            ),
        };
        let libraries =
            shell::output(std::process::Command::new("rustc").current_dir(shell::root()).args([
                "--print",
                "target-libdir",
                "--target",
                triple,
            ]))?;
        if !std::path::Path::new(libraries.trim()).is_dir() {
            bail!(
                "--target {triple}: its standard library is not installed; run `rustup target add {triple}`, \
                 and see that a C compiler for it is there (CC_{})",
                triple.replace('-', "_")
            );
        }
        Ok(Self { triple: triple.to_owned(), arch })
    }
}

/// The target that a plain `cargo build` is for.
pub(super) fn of_this_machine() -> Result<String> {
    let version = shell::output(
        std::process::Command::new("rustc").current_dir(shell::root()).arg("--version").arg("--verbose"),
    )?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc --version --verbose` does not name its host")
}
