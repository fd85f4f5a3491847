//! The compiler for the BPF target: which of the two known ways this machine offers.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::apt;
use crate::shell;

/// How eBPF programs are compiled. `agent/datapath/build.rs` looks for the same two, in the same order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// The pinned stable compiler builds `core` itself, from the rust-src component.
    RustSrc,
    /// Debian's rustc-web comes with a ready `core` for bpfel-unknown-none.
    DebianWeb,
}

impl Way {
    /// The compiler of this way.
    pub(super) fn rustc(self) -> &'static str {
        match self {
            Self::RustSrc => "rustc",
            Self::DebianWeb => DEBIAN_RUSTC,
        }
    }
}

/// Finds a way, installing the better one that can be had.
pub(super) fn ensure() -> Result<Way> {
    if let Some(way) = find() {
        return Ok(say(way));
    }
    if shell::find_program("rustup").is_some() {
        let mut add = Command::new("rustup");
        add.args(["component", "add", "rust-src"]).current_dir(shell::root());
        match shell::step(
            "setup: rustup component add rust-src (the sources of `core`, for the BPF target)",
            &mut add,
        ) {
            Ok(()) if has_rust_src() => return Ok(say(Way::RustSrc)),
            Ok(()) => {}
            Err(error) => {
                eprintln!("setup: no rust-src from rustup, trying Debian's compiler. {error:#}")
            }
        }
    }
    apt::install(
        &DEBIAN_PACKAGES.map(String::from),
        "they bring a Rust compiler with `core` for the BPF target",
    )?;
    match find() {
        Some(way) => Ok(say(way)),
        None => bail!(
            "no compiler for the BPF target: neither the rust-src component (`rustup component add rust-src`) \
             nor Debian's {} has one here",
            DEBIAN_PACKAGES.join(" and ")
        ),
    }
}

fn find() -> Option<Way> {
    if has_rust_src() {
        return Some(Way::RustSrc);
    }
    let has_bpf_core = sysroot(DEBIAN_RUSTC)
        .is_some_and(|root| Path::new(&root).join("lib/rustlib/bpfel-unknown-none").is_dir());
    has_bpf_core.then_some(Way::DebianWeb)
}

fn has_rust_src() -> bool {
    sysroot("rustc").is_some_and(|root| Path::new(&root).join("lib/rustlib/src/rust/library/core").is_dir())
}

fn sysroot(rustc: &str) -> Option<String> {
    let mut command = Command::new(rustc);
    command.args(["--print", "sysroot"]).current_dir(shell::root());
    shell::output(&mut command).ok().map(|path| path.trim().to_owned())
}

fn say(way: Way) -> Way {
    match way {
        Way::RustSrc => {
            eprintln!("setup: eBPF compiler: the pinned rustc with rust-src (one toolchain for everything)")
        }
        Way::DebianWeb => eprintln!(
            "setup: eBPF compiler: {DEBIAN_RUSTC} of Debian's rustc-web, because rust-src is not to be had"
        ),
    }
    way
}

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_PACKAGES: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];
