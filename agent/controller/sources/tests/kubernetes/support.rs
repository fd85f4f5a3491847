//! What the tests share.

use std::time::Duration;

use serde_json::{Value, json};
use weir_harness::kube_api::KubeApi;
use weir_sources::Cluster;

/// Longer than anything takes that is not broken.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A client of the API.
pub(crate) async fn connect(api: &KubeApi) -> Cluster {
    let dir = tempfile::tempdir().unwrap();
    let path = api.kubeconfig(dir.path()).unwrap();
    Cluster::connect(Some(path), None).await.unwrap().discover_every(Duration::from_millis(50))
}

pub(crate) fn pod(name: &str, version: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": {"version": version}},
        "spec": {"nodeName": "a", "serviceAccountName": "web"},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

pub(crate) fn policy(name: &str, version: &str) -> Value {
    json!({
        "apiVersion": format!("security.istio.io/{version}"), "kind": "AuthorizationPolicy",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"action": "DENY", "rules": [{"from": [{"source": {"namespaces": ["x"]}}]}]},
    })
}

/// Waits until something is true that no event tells of.
pub(crate) async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let wait = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(LONG, wait).await.is_ok(), "waited in vain for {what}");
}
