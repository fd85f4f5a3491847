//! Policies: what they are published as, who names them, and what that means for a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use rstest::rstest;
use weir_model::{Connection, Identity, Policy, PolicyScope, Verdict, authorize};
use weir_resources::Kind;

use super::{Mesh, changed, pod, told};

/// A mesh with `shop/a` (app: a) and `shop/b` (app: b).
fn mesh() -> Mesh {
    let mut mesh = Mesh::new();
    mesh.apply(&(pod("shop", "a", "10.0.0.1", "app: a") + &pod("shop", "b", "10.0.0.2", "app: b")));
    mesh
}

fn authorization(namespace: &str, name: &str, spec: &str) -> String {
    policy("AuthorizationPolicy", namespace, name, spec)
}

fn peer(namespace: &str, name: &str, spec: &str) -> String {
    policy("PeerAuthentication", namespace, name, spec)
}

fn policy(kind: &str, namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "
apiVersion: security.istio.io/v1
kind: {kind}
metadata: {{name: {name}, namespace: {namespace}}}
spec: {spec}
---
"
    )
}

/// Whether a pod lets in who comes from 10.9.9.9 to port 80, as a node proxy decides it.
fn lets_in(mesh: &Mesh, name: &str, peer: Option<&str>) -> bool {
    let pod = mesh.pod(name).unwrap();
    let snapshot = mesh.index.snapshot();
    let all = snapshot.authorizations().map(|resource| {
        let message = prost::Message::decode(resource.body.clone()).unwrap();
        Arc::new(weir_discovery::convert::authorization(message).expect("nothing that we publish is refused"))
    });
    let in_force: Vec<Arc<Policy>> = all
        .filter(|policy| match policy.scope {
            PolicyScope::Global => true,
            PolicyScope::Namespace => policy.namespace == pod.namespace,
            PolicyScope::WorkloadSelector => pod.authorization_policies.contains(&policy.key),
        })
        .collect();
    let peer = peer.map(|account| Identity::new("cluster.local", "shop", account).unwrap());
    let destination = SocketAddr::new([10, 0, 0, 1].into(), 80);
    let connection = Connection { peer: peer.as_ref(), source_ip: [10, 9, 9, 9].into(), destination };
    authorize(&in_force, &connection) == Verdict::Allow
}

/// Policies, and whom `a` and `b` let in: `web` and `cron` of the namespace, and plaintext.
#[rstest]
#[case::none("", [[true, true, true], [true, true, true]])]
#[case::nobody(&authorization("shop", "p", "{}"), [[false; 3], [false; 3]])]
#[case::mesh_wide(&authorization("weir-system", "p", "{}"), [[false; 3], [false; 3]])]
#[case::another_namespace(&authorization("other", "p", "{}"), [[true; 3], [true; 3]])]
#[case::selected(
    &authorization("shop", "p", "{selector: {matchLabels: {app: a}}, rules: [{from: [{source: {serviceAccounts: [web]}}]}]}"),
    [[true, false, false], [true; 3]]
)]
#[case::selected_from_the_root(
    &authorization("weir-system", "p", "{action: DENY, selector: {matchLabels: {app: b}}, rules: [{from: [{source: {namespaces: [shop]}}]}]}"),
    [[true; 3], [false, false, true]]
)]
#[case::two_that_allow(
    &(authorization("shop", "p", "{rules: [{from: [{source: {serviceAccounts: [web]}}]}]}")
        + &authorization("shop", "q", "{selector: {matchLabels: {app: a}}, rules: [{from: [{source: {serviceAccounts: [cron]}}]}]}")),
    [[true, true, false], [true, false, false]]
)]
#[case::bad_selector_beside_one_that_allows(
    &(authorization("shop", "p", "{rules: [{from: [{source: {serviceAccounts: [web]}}]}]}")
        + &authorization("shop", "q", "{selector: {matchLabels: {app: 1}}, rules: [{}]}")),
    [[true, false, false], [true, false, false]]
)]
#[case::unknown_action_beside_one_that_allows(
    &(authorization("shop", "p", "{rules: [{}]}") + &authorization("shop", "q", "{action: Deny, rules: [{}]}")),
    [[false; 3], [false; 3]]
)]
#[case::strict(&peer("shop", "p", "{mtls: {mode: STRICT}}"), [[true, true, false], [true, true, false]])]
#[case::strict_mesh_but_one(
    &(peer("weir-system", "p", "{mtls: {mode: STRICT}}")
        + &peer("shop", "q", "{selector: {matchLabels: {app: b}}, mtls: {mode: PERMISSIVE}}")),
    [[true, true, false], [true; 3]]
)]
#[case::strict_but_this_port(
    &peer("shop", "p", "{selector: {matchLabels: {app: a}}, mtls: {mode: STRICT}, portLevelMtls: {80: {mode: DISABLE}}}"),
    [[true; 3], [true; 3]]
)]
#[case::permissive_but_this_port(
    &peer("shop", "p", "{selector: {matchLabels: {app: a}}, portLevelMtls: {80: {mode: STRICT}}}"),
    [[true, true, false], [true; 3]]
)]
fn who_is_let_in(#[case] policies: &str, #[case] expected: [[bool; 3]; 2]) {
    let mut before = mesh();
    before.apply(policies);
    // Policies first: what comes later is told of them, too.
    let mut after = Mesh::new();
    after.apply(policies);
    after.apply(&(pod("shop", "a", "10.0.0.1", "app: a") + &pod("shop", "b", "10.0.0.2", "app: b")));
    for mesh in [before, after] {
        let of = |name: &str| [Some("web"), Some("cron"), None].map(|peer| lets_in(&mesh, name, peer));
        assert_eq!([of("shop/a"), of("shop/b")], expected);
    }
}

/// A change concerns those that it selects, and nobody when it is only the rules that change.
#[test]
fn only_who_is_selected_changes() {
    let mut mesh = mesh();
    let spec = |rules: &str| format!("{{selector: {{matchLabels: {{app: a}}}}, rules: {rules}}}");
    let changes = mesh.apply(&authorization("shop", "p", &spec("[]")));
    assert_eq!(changed(&changes), ["Kubernetes//Pod/shop/a"]);
    assert_eq!(changes.authorizations.len(), 1);
    assert_eq!(
        told(&changes, Kind::AuthorizationPolicy, "p"),
        ["Accepted=True/Accepted", "Programmed=True/Programmed", "ZtunnelAccepted=True/Accepted"]
    );
    let changes = mesh.apply(&authorization("shop", "p", &spec("[{}]")));
    assert!(changes.addresses.is_empty() && changes.authorizations.len() == 1);
    let changes = mesh.apply(&authorization("shop", "p", &spec("[{}]")));
    assert!(changes.addresses.is_empty() && changes.authorizations.is_empty());
    let changes = mesh.delete(Kind::AuthorizationPolicy, "shop", "p");
    assert_eq!(changed(&changes), ["Kubernetes//Pod/shop/a"]);
    assert!(changes.authorizations[0].resource.is_none());
}

/// A pod whose labels change is selected by others.
#[test]
fn labels_decide_anew() {
    let mut mesh = mesh();
    mesh.apply(&authorization("shop", "p", "{selector: {matchLabels: {app: b}}}"));
    assert!(lets_in(&mesh, "shop/a", None) && !lets_in(&mesh, "shop/b", None));
    mesh.apply(&pod("shop", "a", "10.0.0.1", "app: b"));
    assert!(!lets_in(&mesh, "shop/a", None));
}
