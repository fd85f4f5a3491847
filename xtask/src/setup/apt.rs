//! Debian packages, installed without starting the services inside them.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// Installs packages; `why` ends the sentence that tells the user.
pub(super) fn install(packages: &[String], why: &str) -> Result<()> {
    let list = packages.join(" ");
    if shell::find_program("apt-get").is_none() {
        bail!("this machine has no apt-get. Install {list} (Debian's names) in its own way: {why}");
    }
    if !shell::is_root() {
        bail!(
            "{list} must be installed ({why}), and only root may. Run `sudo apt-get install {list}`, then try again"
        );
    }
    eprintln!("setup: installing {list}: {why}");
    let _held = HeldServices::hold()?;
    shell::step("setup: apt-get update", apt().arg("update"))?;
    shell::step(
        "setup: apt-get install",
        apt().args(["install", "-y", "--no-install-recommends"]).args(packages),
    )
}

/// True if dpkg has the package installed.
pub(super) fn has(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f=${Status}", package]);
    shell::output(&mut query).is_ok_and(|status| status.ends_with("ok installed"))
}

/// Keeps freshly installed services from starting at boot: here they are test programs, run by hand in
/// namespaces, and a redis on the machine's own port is nobody's wish.
pub(super) fn disable_services(services: &[&str]) -> Result<()> {
    if services.is_empty() || !Path::new("/run/systemd/system").exists() {
        return Ok(());
    }
    eprintln!("setup: switching off the services {}: Weir runs these programs by hand", services.join(" "));
    shell::step(
        "setup: systemctl disable",
        Command::new("systemctl").args(["disable", "--now"]).args(services),
    )
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
    command
}

/// While it lives, packages do not start their services: Debian asks `policy-rc.d`, and 101 means "not allowed".
/// A machine that has such a file (containers do) keeps its own.
struct HeldServices {
    ours: bool,
}

impl HeldServices {
    fn hold() -> Result<Self> {
        let created = OpenOptions::new().write(true).create_new(true).mode(0o755).open(POLICY);
        let ours = match created {
            Ok(mut file) => {
                file.write_all(b"#!/bin/sh\n# Written by `cargo xtask setup` while it installs packages; removed after.\nexit 101\n")
                    .with_context(|| format!("cannot write {POLICY}"))?;
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error).with_context(|| format!("cannot create {POLICY}")),
        };
        Ok(Self { ours })
    }
}

impl Drop for HeldServices {
    fn drop(&mut self) {
        if self.ours && std::fs::remove_file(POLICY).is_err() {
            eprintln!(
                "setup: could not remove {POLICY}; remove it by hand, or no package will start a service"
            );
        }
    }
}

const POLICY: &str = "/usr/sbin/policy-rc.d";
