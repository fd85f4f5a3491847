//! The suite of a live cluster: a program of its own, whose stories have one order.

use anyhow::{Result, bail};

use crate::shell;

/// Runs it in the cluster of `$KUBECONFIG`; `options` are its own.
pub(super) fn run(options: &[String]) -> Result<()> {
    if !has_cluster() {
        bail!(
            "the suite of a live cluster needs one: set KUBECONFIG. Its nodes must have the images of `cargo xtask image` and of \
             `cargo xtask image --tests`; tests/cluster/README.md says more, and `cargo xtask kind up` makes such a cluster"
        );
    }
    eprintln!("test: live tests");
    // One selection of packages with the other suites, and so one build of every dependency.
    shell::run(&mut shell::cargo(&["build", "--locked", "--workspace", "--bins", "--tests"]))?;
    let mut suite = shell::cargo(&["test", "--locked", "--workspace", "--test", "live", "--"]);
    shell::run(suite.args(options))
}

/// Whether somebody named one.
pub(super) fn has_cluster() -> bool {
    std::env::var_os("KUBECONFIG").is_some_and(|path| !path.is_empty())
}
