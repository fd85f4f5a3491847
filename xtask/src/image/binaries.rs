//! Static binaries whose bytes depend on the commit alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::platform::Platform;
use crate::shell;

/// A program of the image.
pub(super) struct Binary {
    pub(super) name: &'static str,
    /// Without symbols.
    pub(super) bytes: Vec<u8>,
}

/// What an image is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// The mesh: agent, controller, waypoint, CNI plugin.
    Mesh,
    /// What the suite of a live cluster runs in its pods.
    Tests,
}

impl Content {
    /// Packages, each with its binary. One build gives all its programs the features that any of them asks for: the servers want nearly
    /// the same and share one, which saves most of the time; the plugin, which must stay small, has its own.
    fn builds(self) -> &'static [&'static [(&'static str, &'static str)]] {
        match self {
            Self::Mesh => &[
                &[
                    ("weir-agent", "weir-agent"),
                    ("weir-controller", "weir-controller"),
                    ("weir-waypoint", "weir-waypoint"),
                ],
                &[("weir-cni", "weir-cni")],
            ],
            Self::Tests => &[&[("weir-cluster", "weir-pod"), ("weir-bookinfo", "weir-bookinfo")]],
        }
    }

    /// A short name, also the image's own.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Mesh => "weir",
            Self::Tests => "weir-tests",
        }
    }

    /// What it is, in a sentence.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Mesh => "Weir, a service mesh without sidecars: agent, controller, waypoint and CNI plugin",
            Self::Tests => "What Weir's suite of a live cluster runs in its pods",
        }
    }

    /// Every package that a program of the image is from.
    pub(super) fn packages(self) -> impl Iterator<Item = &'static str> {
        self.builds().iter().copied().flatten().map(|(package, _)| *package)
    }
}

/// Builds all programs for a platform.
pub(super) fn build(content: Content, platform: &Platform, symbols: Option<&Path>) -> Result<Vec<Binary>> {
    let target = target_dir()?;
    for programs in content.builds() {
        let mut cargo = shell::cargo(&["build", "--locked", "--release", "--target", &platform.triple]);
        for (package, name) in *programs {
            cargo.args(["--package", package, "--bin", name]);
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", rust_flags()?.join("\x1f")).env("CFLAGS", c_flags()?);
        shell::run(cargo.env("CARGO_TARGET_DIR", &target).env("CARGO_INCREMENTAL", "0"))?;
    }
    let mut built = Vec::new();
    for (_, name) in content.builds().iter().copied().flatten() {
        let made = target.join(&platform.triple).join("release").join(name);
        is_static(&made)?;
        if let Some(folder) = symbols {
            let kept = folder.join(platform.arch.to_string());
            fs::create_dir_all(&kept).with_context(|| format!("cannot make {}", kept.display()))?;
            fs::copy(&made, kept.join(name)).with_context(|| format!("cannot keep {name}"))?;
        }
        built.push(Binary { name, bytes: stripped(&made, platform)? });
    }
    Ok(built)
}

/// Beside the ordinary ones, which have other flags: neither build throws away what the other made.
fn target_dir() -> Result<PathBuf> {
    Ok(shell::target()?.join("image"))
}

/// Static, and no path of this machine in panics and debug information.
fn rust_flags() -> Result<Vec<String>> {
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    flags.extend(prefixes()?.into_iter().map(|(from, to)| format!("--remap-path-prefix={from}={to}")));
    Ok(flags)
}

/// The same for C, which aws-lc and the like are written in.
fn c_flags() -> Result<String> {
    let maps: Vec<String> =
        prefixes()?.into_iter().map(|(from, to)| format!("-ffile-prefix-map={from}={to}")).collect();
    Ok(maps.join(" "))
}

/// Folders of this machine, and what they are called in the image.
fn prefixes() -> Result<[(String, &'static str); 4]> {
    let home = std::env::var("HOME").unwrap_or_else(|_| "/root".to_owned());
    let cargo = std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{home}/.cargo"));
    let sysroot =
        shell::output(Command::new("rustc").current_dir(shell::root()).args(["--print", "sysroot"]))?;
    // The last that matches wins, so the narrower ones come last.
    Ok([
        (shell::root().display().to_string(), "/weir"),
        (target_dir()?.display().to_string(), "/target"),
        (cargo, "/cargo"),
        (sysroot.trim().to_owned(), "/rust"),
    ])
}

/// A program that asks for a loader would not start in an empty image.
fn is_static(program: &Path) -> Result<()> {
    let headers = shell::output(Command::new("readelf").args(["--program-headers", "--wide"]).arg(program))?;
    if headers.lines().any(|line| line.trim_start().starts_with("INTERP")) {
        bail!("{} is not static: an image made of it would have no loader for it", program.display());
    }
    Ok(())
}

fn stripped(program: &Path, platform: &Platform) -> Result<Vec<u8>> {
    let without = program.with_extension("stripped");
    // The machine's own knows no other processor; the cross compiler's binutils have one (GNU's name for it, as Debian's packages).
    let strip = match platform.triple.split('-').next() {
        Some(other) if other != std::env::consts::ARCH => format!("{other}-linux-gnu-strip"),
        _ => "strip".to_owned(),
    };
    shell::output(Command::new(strip).arg("--strip-all").arg("-o").arg(&without).arg(program))?;
    fs::read(&without).with_context(|| format!("cannot read {}", without.display()))
}
