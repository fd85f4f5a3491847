//! A kubelet looks after pods that let nobody in who has no identity.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::shop::Shop;
use weir_harness::until_ok;

use super::policy::strict;
use crate::watch::LONG;

/// One container serves; the others are there for a probe each.
pub(super) fn of_all_kinds_pass_where_strict_rules(shop: &Shop) -> Result<()> {
    let home = shop.home.cluster.namespace("weir-live-probes")?;
    home.enrol()?;
    let _strict = strict(&home)?;
    let image = &home.cluster.settings().image;
    let container = |name: &str, probe: Value| {
        let mut probe = probe;
        probe["periodSeconds"] = 1.into();
        json!({
            "name": name, "image": image, "imagePullPolicy": "IfNotPresent", "command": ["weir-pod", "serve"],
            "readinessProbe": probe, "livenessProbe": probe,
        })
    };
    let (node, on_node) = shop.nodes.first_key_value().expect("a cluster has nodes");
    let spec = home.pod("probed").on(node).with(|spec| {
        let mut http = container("main", json!({"httpGet": {"path": "/health", "port": 8080}}));
        http["command"] =
            json!(["weir-pod", "serve", "--http", "8080,8081", "--tcp", "9000", "--grpc", "9001"]);
        spec["containers"] = json!([
            http,
            container("tcp", json!({"tcpSocket": {"port": 9000}})),
            container("grpc", json!({"grpc": {"port": 9001}})),
            container(
                "exec",
                json!({"exec": {"command": ["weir-pod", "ask", "http://127.0.0.1:8080/exec"]}})
            ),
        ]);
    });
    let pod = spec.start()?;
    pod.until_captured()?;
    let born = pod.life()?;
    let asked = || pod.reach("http://127.0.0.1:8080/").map(|answer| answer["asked"].clone());
    let first = asked()?;
    until_ok("some rounds of probes", LONG, || {
        let now = asked()?;
        for kind in ["/health", "tcp", "grpc", "/exec"] {
            let rounds = now[kind].as_u64().zip(first[kind].as_u64()).map_or(0, |(now, first)| now - first);
            ensure!(rounds >= 6, "{kind}: {first}, now {now}");
        }
        Ok(())
    })?;
    ensure!(pod.life()? == born, "the kubelet has started it again: {}", pod.object()?["status"]);
    // What is not a kubelet is not let in from the node, and the kubelet's ports are no way in.
    for port in [8080, 8081] {
        on_node.is_refused(&format!("http://{}:{port}/", pod.address()?))?;
    }
    home.end()
}
