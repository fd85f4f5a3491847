//! Which kinds are read, and in which version.

use rstest::rstest;
use weir_harness::kube_api::{Call, Fault, KubeApi};
use weir_resources::Kind;
use weir_sources::KindState;

use crate::mirror::Mirror;
use crate::support::{connect, pod, policy, until};

#[tokio::test]
async fn without_definitions_the_cluster_has_none_until_they_come() {
    let api = KubeApi::start().unwrap();
    api.put(pod("a", "1")).unwrap();
    let mut mirror = Mirror::of(&api).await;
    mirror.until_synced().await;
    assert!(mirror.has(Kind::Pod, "a"));
    assert_eq!(mirror.cluster.health().report()[&Kind::AuthorizationPolicy], KindState::Absent);
    api.serve("authorizationpolicies").unwrap();
    api.put(policy("p", "v1")).unwrap();
    mirror.until("the policy", |m| m.has(Kind::AuthorizationPolicy, "p")).await;
    api.withdraw("authorizationpolicies");
    mirror.until("its end", |m| m.count(Kind::AuthorizationPolicy) == 0).await;
    let health = mirror.cluster.health().clone();
    until("the report", || health.report()[&Kind::AuthorizationPolicy] == KindState::Absent).await;
    api.serve("authorizationpolicies").unwrap();
    api.put(policy("q", "v1")).unwrap();
    mirror.until("the policy", |m| m.has(Kind::AuthorizationPolicy, "q")).await;
}

/// Of several API servers one that has just started does not serve custom kinds yet, and another one calls itself ready. A
/// mesh does not lose its policies by that.
#[tokio::test]
async fn what_was_served_is_not_absent_at_once() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.put(policy("p", "v1")).unwrap();
    let mut mirror = Mirror::of(&api).await;
    mirror.until_synced().await;
    until("the watch", || api.watches("authorizationpolicies") == 1).await;
    let missing = || Fault::Status(404, "NotFound");
    api.fault(Call::new("watch", "authorizationpolicies"), missing(), 1);
    // The groups are listed, and nothing is in them.
    api.fault(Call::discovery(), Fault::Slow(std::time::Duration::ZERO), 1);
    api.fault(Call::discovery(), missing(), 2);
    api.cut(weir_harness::kube_api::Cut::Reset);
    api.put(policy("q", "v1")).unwrap();
    mirror.until("the next list", |m| m.has(Kind::AuthorizationPolicy, "q")).await;
    assert!(mirror.has(Kind::AuthorizationPolicy, "p"));
    assert_eq!(mirror.lists[&Kind::AuthorizationPolicy], 2, "none of them was empty");
}

#[rstest]
#[case("authorizationpolicies", &["v1beta1"], "v1beta1")]
#[case("authorizationpolicies", &["v1", "v1beta1"], "v1")]
#[case("authorizationpolicies", &["v1beta1", "v1"], "v1")]
#[case("serviceentries", &["v1alpha3"], "v1alpha3")]
#[case("serviceentries", &["v2", "v1alpha3", "v1beta1"], "v1beta1")]
#[case("gateways", &["v1beta1"], "v1beta1")]
#[tokio::test]
async fn the_best_version_that_is_served_is_read(
    #[case] resource: &str,
    #[case] served: &[&str],
    #[case] read: &str,
) {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.serve_versions(resource, served).unwrap();
    let mut mirror = Mirror::of(&api).await;
    mirror.until_synced().await;
    let list = api.requests().into_iter().find(|r| r.verb == "list" && r.resource == resource).unwrap();
    assert!(list.uri.contains(&format!("/{read}/")), "{}", list.uri);
}

/// While the API server starts, its custom kinds are not there yet. That is no cluster without policies.
#[tokio::test]
async fn nothing_is_called_absent_by_a_server_that_is_not_ready() {
    let api = KubeApi::start().unwrap();
    api.fault(Call::new("get", ""), Fault::Status(500, "InternalError"), usize::MAX);
    let mut mirror = Mirror::of(&api).await;
    mirror.until("the pods", |m| m.synced.contains(&Kind::Pod)).await;
    let health = mirror.cluster.health().clone();
    let failing = || matches!(health.report().get(&Kind::AuthorizationPolicy), Some(KindState::Failing(_)));
    until("a report", failing).await;
    assert!(!mirror.synced.contains(&Kind::AuthorizationPolicy));
    for resource in ["authorizationpolicies", "peerauthentications"] {
        api.serve(resource).unwrap();
    }
    api.put(policy("p", "v1")).unwrap();
    api.heal();
    mirror.until_synced().await;
    assert!(mirror.has(Kind::AuthorizationPolicy, "p"));
}

#[rstest]
#[case::nodes("nodes", Kind::Node, true)]
#[case::groups("workloadgroups", Kind::WorkloadGroup, true)]
#[case::policies("authorizationpolicies", Kind::AuthorizationPolicy, false)]
#[case::pods("pods", Kind::Pod, false)]
#[tokio::test]
async fn a_kind_that_we_may_not_read_takes_no_other_down(
    #[case] resource: &str,
    #[case] kind: Kind,
    #[case] goes_without: bool,
) {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.put(policy("p", "v1")).unwrap();
    api.put(pod("a", "1")).unwrap();
    api.forbid("list", resource);
    let mut mirror = Mirror::of(&api).await;
    mirror
        .until("the others", |m| {
            let mut listed = Kind::ALL.into_iter().filter(|other| !other.is_read_by_name() && *other != kind);
            listed.all(|other| m.synced.contains(&other))
        })
        .await;
    let health = mirror.cluster.health().clone();
    until("a report", || matches!(health.report().get(&kind), Some(KindState::Forbidden(_)))).await;
    let KindState::Forbidden(why) = health.report()[&kind].clone() else { unreachable!() };
    assert!(why.contains(&format!("{resource} is forbidden")), "{why}");
    if goes_without {
        mirror.until_synced().await;
    } else {
        assert!(!mirror.synced.contains(&kind), "to go on without would open or empty the mesh");
    }
    api.heal();
    mirror.until_synced().await;
    until("its recovery", || health.report()[&kind] == KindState::Synced).await;
}

/// A right that is taken away later leaves what was known.
#[tokio::test]
async fn what_was_read_stays_when_it_may_not_be_read_any_more() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.put(policy("p", "v1")).unwrap();
    let mut mirror = Mirror::of(&api).await;
    mirror.until_synced().await;
    until("the watch", || api.watches("authorizationpolicies") == 1).await;
    api.forbid("list", "authorizationpolicies");
    api.forbid("watch", "authorizationpolicies");
    api.cut(weir_harness::kube_api::Cut::Reset);
    let health = mirror.cluster.health().clone();
    let forbidden = || matches!(health.report()[&Kind::AuthorizationPolicy], KindState::Forbidden(_));
    until("a report", forbidden).await;
    api.put(pod("a", "1")).unwrap();
    mirror.until("another kind", |m| m.has(Kind::Pod, "a")).await;
    assert!(mirror.has(Kind::AuthorizationPolicy, "p"));
}

/// Of ConfigMaps, only those of the mesh's own namespace.
#[tokio::test]
async fn config_maps_of_others_are_not_read() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    for namespace in ["weir-system", "shop"] {
        let map = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "mesh", "namespace": namespace}, "data": {"a": "b"}});
        api.put(map).unwrap();
    }
    let mut mirror = Mirror::following(connect(&api).await.root_namespace("weir-system"));
    mirror.until_synced().await;
    assert_eq!(mirror.count(Kind::ConfigMap), 1);
}

/// A kubeconfig of a cloud names a program that is on its author's machine.
#[tokio::test]
async fn a_plugin_for_credentials_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kubeconfig");
    let exec = serde_json::json!({
        "apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin", "interactiveMode": "Never",
    });
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "c", "user": {"exec": exec}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
    });
    std::fs::write(&path, config.to_string()).unwrap();
    let Err(error) = weir_sources::Cluster::connect(Some(path), None).await else { panic!("no error") };
    assert!(error.to_string().contains("no-such-plugin"), "{error}");
}
