//! bpf-linker: turns the compiler's LLVM bitcode into BPF objects.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt;
use super::toolchain::Way;
use crate::shell;

/// Builds and installs bpf-linker if it is not there.
pub(super) fn ensure(way: Way) -> Result<()> {
    if let Ok(version) = shell::output(Command::new("bpf-linker").arg("--version")) {
        eprintln!("setup: {}", version.trim());
        return Ok(());
    }
    // bpf-linker reads bitcode that rustc wrote: its LLVM must not be the older one.
    let llvm = llvm_major(way)?;
    let missing: Vec<String> = packages(llvm).into_iter().filter(|package| !apt::has(package)).collect();
    if !missing.is_empty() {
        apt::install(&missing, &format!("bpf-linker is built against LLVM {llvm}, the LLVM of rustc"))
            .with_context(|| format!("LLVM {llvm} is needed to build bpf-linker; where Debian has no llvm-{llvm}-dev, apt.llvm.org has"))?;
    }
    let feature = format!("llvm-{llvm}");
    let mut install = shell::cargo(&["install", "bpf-linker", "--locked", "--version", VERSION]);
    install.args(["--no-default-features", "--features", &feature]);
    // Else it takes the folder above whichever `llvm-config` is first in PATH, often that of another LLVM.
    install.env("LLVM_PREFIX", prefix(llvm)?);
    shell::step(
        &format!(
            "setup: cargo install bpf-linker {VERSION} with LLVM {llvm} (links the eBPF programs; about a minute)"
        ),
        &mut install,
    )?;
    if shell::find_program("bpf-linker").is_none() {
        bail!(
            "bpf-linker was installed, but its folder is not in PATH. Add cargo's bin folder (usually ~/.cargo/bin) to PATH"
        );
    }
    Ok(())
}

fn llvm_major(way: Way) -> Result<u32> {
    let mut rustc = Command::new(way.rustc());
    rustc.arg("-vV").current_dir(shell::root());
    let text = shell::output(&mut rustc)?;
    parse_llvm_major(&text)
        .with_context(|| format!("`{} -vV` does not tell its LLVM version:\n{text}", way.rustc()))
}

fn parse_llvm_major(version: &str) -> Option<u32> {
    let llvm = version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    llvm.split('.').next()?.trim().parse().ok()
}

/// Where Debian keeps this LLVM.
fn prefix(llvm: u32) -> Result<String> {
    let prefix = shell::output(Command::new(format!("llvm-config-{llvm}")).arg("--prefix"))?;
    Ok(prefix.trim().to_owned())
}

fn packages(llvm: u32) -> Vec<String> {
    let own = ["llvm-{}-dev", "libpolly-{}-dev"].map(|name| name.replace("{}", &llvm.to_string()));
    let common = ["libzstd-dev", "zlib1g-dev"].map(String::from);
    own.into_iter().chain(common).collect()
}

/// The version that Weir's programs were verified with.
const VERSION: &str = "0.13.0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_llvm_version_of_rustc() {
        let cases = [
            ("rustc 1.95.0\nrelease: 1.95.0\nLLVM version: 22.1.2\n", Some(22)),
            ("LLVM version: 9\n", Some(9)),
            ("rustc 1.95.0\n", None),
            ("LLVM version: unknown\n", None),
        ];
        for (text, want) in cases {
            assert_eq!(parse_llvm_major(text), want, "{text:?}");
        }
    }

    #[test]
    fn packages_follow_the_llvm_version() {
        assert_eq!(packages(22), ["llvm-22-dev", "libpolly-22-dev", "libzstd-dev", "zlib1g-dev"]);
    }
}
