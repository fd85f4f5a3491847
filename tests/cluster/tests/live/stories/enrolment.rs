//! Who is in the mesh.

use anyhow::{Result, ensure};
use weir_harness::until_ok;

use crate::namespace::MODE;
use crate::pod::{CAPTURED, Pod};
use crate::shop::Shop;
use crate::watch::{LONG, condition};

/// A label takes in what runs already, and from then on it is the mesh that carries what they say.
pub(super) fn running_pods_come_in(shop: &Shop) -> Result<()> {
    ensure!(tunnelled(shop, &shop.client)? == 0.0, "somebody was in the mesh before");
    shop.home.enrol()?;
    for pod in shop.members() {
        pod.until_captured()?;
    }
    until_ok("a connection with both identities", LONG, || {
        shop.client.reach(&shop.url)?;
        ensure!(tunnelled(shop, &shop.client)? > 0.0, "none at the server's agent");
        Ok(())
    })?;
    shop.nobody_was_restarted()
}

/// Its traffic could not be told from the node's, and it says so itself.
pub(super) fn a_pod_of_the_nodes_network_is_refused(shop: &Shop) -> Result<()> {
    shop.home.label("pod-security.kubernetes.io/enforce", Some("privileged"))?;
    let pod = shop.home.pod("host").account("client").runs(&["weir-pod", "serve"]);
    let pod = pod.with(|spec| spec["hostNetwork"] = true.into()).start()?;
    pod.until("refused", |pod| {
        let captured = condition(pod, CAPTURED)?;
        ensure!(captured["status"] == "False" && captured["reason"] == "HostNetwork", "{captured}");
        Ok(())
    })?;
    pod.end()
}

/// A pod's own label wins over its namespace's, live, both ways.
pub(super) fn a_pod_leaves_and_comes_back(shop: &Shop) -> Result<()> {
    let _strict = super::policy::strict(&shop.home)?;
    shop.client.label(MODE, Some("none"))?;
    shop.client.until_free()?;
    until_ok("its plain connections to be refused", LONG, || shop.client.is_refused(&shop.url))?;
    shop.client.label(MODE, None)?;
    shop.client.until_captured()?;
    until_ok("it to be let in again", LONG, || shop.client.reach(&shop.url))?;
    shop.nobody_was_restarted()
}

/// Connections from a pod that the server's agent has taken from a tunnel, with the pod's identity.
fn tunnelled(shop: &Shop, from: &Pod) -> Result<f64> {
    let name = format!("ns/{}/sa/{}", from.namespace, from.name);
    let metrics = shop.metrics_of(&shop.server)?;
    let principal = format!("spiffe://cluster.local/{name}");
    let labels = [
        ("reporter", "destination"),
        ("connection_security_policy", "mutual_tls"),
        ("source_principal", principal.as_str()),
    ];
    Ok(metrics.sum("istio_tcp_connections_opened_total", &labels).unwrap_or(0.0))
}
