//! What came past a waypoint that must be passed: who names which policy, and whom that lets in.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rstest::rstest;
use weir_model::{Connection, Directory, Identity, admit};
use weir_resources::Kind;

use super::{Mesh, changed, pod};
use crate::{Changes, Config};

/// A service `web` with port 80 at 8080, its pod `a`, which has another port 9090, and the waypoint `wp`.
fn world(service: &str, namespace: &str, gateway: &str) -> String {
    let pod = pod("shop", "a", "10.0.0.1", "app: web");
    format!(
        "
apiVersion: v1
kind: Namespace
metadata: {{name: shop, labels: {{{namespace}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop, labels: {{{service}}}}}
spec: {{clusterIP: 10.96.0.1, selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: wp, namespace: shop, labels: {{{gateway}}}}}
spec:
  gatewayClassName: weir-waypoint
  listeners: [{{name: mesh, port: 15008, protocol: HBONE}}]
---
{pod}"
    )
}

fn policy(namespace: &str, target: &str, rest: &str) -> String {
    format!(
        "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: p, namespace: {namespace}}}
spec:
  targetRefs: [{{{target}}}]
  rules: [{{to: [{{operation: {{methods: [GET]}}}}]}}]
{rest}---
"
    )
}

const SERVICE: &str = "kind: Service, name: web";
const GATEWAY: &str = "group: gateway.networking.k8s.io, kind: Gateway, name: wp";
const CLASS: &str = "group: gateway.networking.k8s.io, kind: GatewayClass, name: weir-waypoint";
const USE: &str = "istio.io/use-waypoint: wp";
const ALL: &str = "istio.io/waypoint-for: all";
const MUST: &str = "weir.dev/require-waypoint: 'true'";
const NEED_NOT: &str = "weir.dev/require-waypoint: 'false'";
const AT_8080: &[&str] = &["shop/weir_waypoint_only_shop.wp_8080"];
const AT_ALL: &[&str] = &["shop/weir_waypoint_only_shop.wp"];

#[rstest]
#[case::no_waypoint(world("", "", ""), policy("shop", SERVICE, ""), &[])]
#[case::no_policy(world("", USE, ""), String::new(), &[])]
#[case::policy_of_the_service(world("", USE, ""), policy("shop", SERVICE, ""), AT_8080)]
#[case::of_another_service(world("", USE, ""), policy("shop", "kind: Service, name: other", ""), &[])]
#[case::of_the_gateway(world(USE, "", ""), policy("shop", GATEWAY, ""), AT_8080)]
#[case::of_the_class(world(USE, "", ""), policy("weir-system", CLASS, ""), AT_8080)]
#[case::unclear_target(world(USE, "", ""), policy("shop", "kind: Pod, name: x", ""), AT_8080)]
#[case::that_audits(world("", USE, ""), policy("shop", SERVICE, "  action: AUDIT\n"), &[])]
#[case::that_denies(world("", USE, ""), policy("shop", SERVICE, "  action: DENY\n"), AT_8080)]
#[case::said_by_the_service(world(&format!("{USE}, {MUST}"), "", ""), String::new(), AT_8080)]
#[case::said_by_the_namespace(world("", &format!("{USE}, {MUST}"), ""), String::new(), AT_8080)]
#[case::said_without_a_waypoint(world(MUST, "", ""), String::new(), &[])]
#[case::denied_by_the_service(world(NEED_NOT, &format!("{USE}, {MUST}"), ""), policy("shop", SERVICE, ""), &[])]
#[case::not_to_be_understood(world(&format!("{USE}, weir.dev/require-waypoint: maybe"), "", ""), String::new(), AT_8080)]
#[case::for_all(world("", USE, ALL), policy("shop", GATEWAY, ""), AT_ALL)]
#[case::for_workloads(world("", USE, "istio.io/waypoint-for: workload"), policy("shop", GATEWAY, ""), AT_ALL)]
#[case::for_all_but_only_the_service_is_protected(world("", USE, ALL), policy("shop", SERVICE, ""), AT_8080)]
#[case::for_none(world("", USE, "istio.io/waypoint-for: none"), policy("shop", GATEWAY, ""), &[])]
fn who_is_guarded(#[case] world: String, #[case] policy: String, #[case] expected: &[&str]) {
    let texts: Vec<&str> = world.split("---\n").chain(policy.split("---\n")).collect();
    // In whatever order it becomes known.
    let forward = texts.clone();
    let backward = texts.into_iter().rev().collect();
    for order in [forward, backward] {
        let (mut mesh, mut published) = (Mesh::new(), BTreeMap::new());
        for text in order {
            keep(&mut published, mesh.apply(text));
        }
        assert_eq!(guards(&mesh), expected);
        assert_eq!(published.into_keys().collect::<Vec<_>>(), expected, "published");
    }
}

#[rstest]
#[case::waypoint(Some("shop/sa/wp"), 8080, true)]
#[case::plaintext(None, 8080, false)]
#[case::another(Some("shop/sa/a"), 8080, false)]
#[case::that_name_elsewhere(Some("other/sa/wp"), 8080, false)]
#[case::port_of_no_service(None, 9090, true)]
#[case::another_at_that(Some("other/sa/x"), 9090, true)]
fn who_is_let_in(#[case] peer: Option<&str>, #[case] port: u16, #[case] allowed: bool) {
    let (mut mesh, mut published) = (Mesh::new(), BTreeMap::new());
    keep(&mut published, mesh.apply(&(world("", USE, "") + "---" + &policy("shop", SERVICE, ""))));
    assert_eq!(is_let_in(&mesh, &published, peer, port), allowed);
}

#[test]
fn its_account_may_have_another_name() {
    let (mut mesh, mut published) = (Mesh::new(), BTreeMap::new());
    keep(&mut published, mesh.apply(&(world("", USE, "") + "---" + &policy("shop", SERVICE, ""))));
    let is_let_in = |mesh: &Mesh, published: &_| is_let_in(mesh, published, Some("shop/sa/wp-1"), 8080);
    assert!(!is_let_in(&mesh, &published));
    let own = pod("shop", "wp-1", "10.0.0.9", "gateway.networking.k8s.io/gateway-name: wp");
    let changes = mesh.apply(&own);
    assert_eq!(changed(&changes), ["Kubernetes//Pod/shop/wp-1"], "the others name the same policy");
    keep(&mut published, changes);
    assert!(is_let_in(&mesh, &published));
    keep(&mut published, mesh.delete(Kind::Pod, "shop", "wp-1"));
    assert!(!is_let_in(&mesh, &published));
}

#[test]
fn it_goes_with_the_last_who_names_it() {
    let (mut mesh, mut published) = (Mesh::new(), BTreeMap::new());
    keep(&mut published, mesh.apply(&(world("", USE, "") + "---" + &policy("shop", SERVICE, ""))));
    keep(&mut published, mesh.apply(&pod("shop", "b", "10.0.0.2", "app: web")));
    keep(&mut published, mesh.delete(Kind::Pod, "shop", "a"));
    assert_eq!(published.len(), 1);
    keep(&mut published, mesh.delete(Kind::Pod, "shop", "b"));
    assert_eq!(published.len(), 0);
}

#[test]
fn an_edit_of_a_policy_changes_no_workload() {
    let mut mesh = Mesh::new();
    mesh.apply(&(world("", USE, "") + "---" + &policy("shop", SERVICE, "")));
    assert_eq!(changed(&mesh.apply(&policy("shop", SERVICE, "  action: DENY\n"))), [""; 0]);
    mesh.delete(Kind::AuthorizationPolicy, "shop", "p");
    assert_eq!(guards(&mesh), [""; 0]);
}

#[test]
fn istios_way_is_to_be_had() {
    let mut mesh = Mesh::with(Config { waypoint_bypass: true, ..Config::default() });
    mesh.apply(&(world("", USE, "") + "---" + &policy("shop", SERVICE, "")));
    assert_eq!(guards(&mesh), [""; 0]);
    mesh.apply(&world(MUST, USE, ""));
    assert_eq!(guards(&mesh), AT_8080, "a label says more");
}

type Published = BTreeMap<String, weir_model::Policy>;

fn keep(published: &mut Published, changes: Changes) {
    for change in changes.authorizations {
        match change.resource {
            Some(resource) => {
                let message = prost::Message::decode(resource.body.clone()).expect("what we encode");
                let policy = weir_discovery::convert::authorization(message).expect("nothing is refused");
                published.insert(change.name.to_string(), policy);
            }
            None => drop(published.remove(&*change.name)),
        }
    }
}

fn guards(mesh: &Mesh) -> Vec<String> {
    let pod = mesh.pod("shop/a").expect("a pod");
    pod.authorization_policies.iter().map(ToString::to_string).collect()
}

fn is_let_in(mesh: &Mesh, published: &Published, peer: Option<&str>, port: u16) -> bool {
    let mut directory = Directory::new();
    for policy in published.values() {
        directory.upsert_policy(policy.clone());
    }
    let peer: Option<Identity> =
        peer.map(|peer| format!("spiffe://cluster.local/ns/{peer}").parse().expect("an identity"));
    let destination = SocketAddr::from(([10, 0, 0, 1], port));
    let connection = Connection { peer: peer.as_ref(), source_ip: [10, 0, 0, 7].into(), destination };
    admit(&directory, &mesh.pod("shop/a").expect("a pod"), &connection).is_allowed()
}
