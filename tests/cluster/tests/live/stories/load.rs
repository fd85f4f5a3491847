//! What happens to the mesh's own processes is nothing to those who connect meanwhile.

use anyhow::{Result, ensure};
use serde_json::Value;
use weir_harness::until_ok;

use crate::cluster::Which;
use crate::pod::{Pod, REPORT};
use crate::shop::Shop;
use crate::watch::{LONG, condition};
use crate::weir::SYSTEM;

/// Agents of all nodes and controllers are replaced by others with other arguments.
pub(super) fn an_upgrade_loses_nothing(shop: &Shop) -> Result<()> {
    let cluster = &shop.home.cluster;
    let uids = || -> Result<Vec<Value>> {
        let pods = [shop.pods_of("weir-agent")?, shop.pods_of("weir-controller")?].concat();
        Ok(pods.iter().map(|pod| pod["metadata"]["uid"].clone()).collect())
    };
    let before = uids()?;
    under_load(shop, || {
        cluster.weir(&["upgrade", "--set", "log.format=json"])?;
        let after = uids()?;
        ensure!(after.iter().all(|uid| !before.contains(uid)), "before: {before:?}\nafter: {after:?}");
        Ok(())
    })
}

/// First that of the client's node, then that of the server's.
pub(super) fn an_agent_that_is_deleted_loses_nothing(shop: &Shop) -> Result<()> {
    under_load(shop, || {
        for pod in [&shop.client, &shop.server] {
            let (node, _) = shop.node_of(pod)?;
            let old = shop.agent_on(node)?;
            shop.home.cluster.delete(&Which::of(&old))?;
            let agents = Which::with("v1", "Pod", SYSTEM, "app=weir-agent");
            shop.home.cluster.until("another agent", &agents, |agents| {
                let is_new = |pod: &&&Value| {
                    pod["spec"]["nodeName"] == node && pod["metadata"]["uid"] != old["metadata"]["uid"]
                };
                let new = agents.iter().find(is_new).ok_or_else(|| anyhow::anyhow!("none on {node}"))?;
                let ready = condition(new, "Ready")?;
                ensure!(ready["status"] == "True", "{ready}");
                Ok(())
            })?;
        }
        Ok(())
    })
}

/// New connections all the time, before, meanwhile and after; not one may fail.
fn under_load(shop: &Shop, act: impl FnOnce() -> Result<()>) -> Result<()> {
    let (node, _) = shop.node_of(&shop.client)?;
    let command = ["weir-pod", "load", &shop.url, "--report", REPORT, "--limit", "60000"];
    let load = shop.home.pod("load").account("client").on(node).runs(&command).start()?;
    load.until_captured()?;
    until_asked(&load, 50)?;
    act()?;
    let tally = load.tally()?;
    let tally = until_asked(&load, tally.asked + 200)?;
    println!("live: {} connections, the longest took {} ms", tally.asked, tally.longest_ms);
    ensure!(tally.errors.is_empty(), "{tally:?}");
    load.end()
}

fn until_asked(load: &Pod, count: u64) -> Result<weir_cluster::said::Tally> {
    until_ok(&format!("{count} questions"), LONG, || {
        let tally = load.tally()?;
        ensure!(tally.asked >= count, "{tally:?}");
        Ok(tally)
    })
}
