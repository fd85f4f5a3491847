//! The mesh comes and goes.

use anyhow::{Result, ensure};

use crate::picture::Picture;
use crate::shop::Shop;

/// By one command, which waits until all of it runs.
pub(super) fn install(shop: &Shop) -> Result<()> {
    let cluster = &shop.home.cluster;
    let mut arguments = vec!["install", "--set", "crds.istio=true,crds.gatewayAPI=true"];
    for value in &cluster.settings().set {
        arguments.extend(["--set", value]);
    }
    cluster.weir(&arguments)?;
    cluster.weir(&["verify-install"])?;
    for node in shop.nodes.keys() {
        shop.agent_on(node)?;
    }
    // Nobody has asked for anything yet.
    shop.client.reach(&shop.url)?;
    shop.client.until_free()?;
    shop.nobody_was_restarted()
}

/// With pods in the mesh that go on, and are what they were before.
pub(super) fn leave_nothing(shop: &Shop, before: &Picture) -> Result<()> {
    let cluster = &shop.home.cluster;
    cluster.weir(&["uninstall", "--purge", "--yes"])?;
    ensure!(!cluster.has_mesh()?, "the mesh's namespace is there");
    shop.client.reach(&shop.url)?;
    shop.outsider.reach(&shop.url)?;
    shop.nobody_was_restarted()?;
    shop.home.label(crate::namespace::MODE, None)?;
    before.until_again(cluster, shop)
}
