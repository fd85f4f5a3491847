//! What waypoints are told, and who is not.

use rstest::rstest;
use weir_index::Layer7::{self, Backend, Endpoints, Frontend, Labels, Waypoint};
use weir_proto::discovery::DeltaDiscoveryRequest;
use weir_proto::type_url::{BACKEND, ENDPOINTS, FRONTEND, LABELS, SECRET, WAYPOINT};

use super::client::{ADDRESS, Client, ask, first, holding, names, node_with};
use super::mesh::{Mesh, layer7, pod};
use crate::auth::Caller;
use crate::xds::{Refusal, XdsConfig};

const WEB: &str = "shop/web.shop.svc.cluster.local";

/// Of another namespace than the waypoint.
const CLIENT: &str = "c//Pod/bank/cart-1";

fn mesh() -> Mesh {
    Mesh::of([
        layer7(Waypoint, "shop", "shop/wp", 1),
        layer7(Frontend, "shop", WEB, 1),
        layer7(Backend, "shop", WEB, 1),
        layer7(Endpoints, "shop", WEB, 1),
        layer7(Labels, "", CLIENT, 1),
        layer7(Frontend, "bank", WEB, 2),
        layer7(Waypoint, "bank", "bank/wp", 1),
        pod("c//Pod/shop/web-1", "10.0.1.1", "a", &[WEB], &[], 1),
    ])
}

/// A waypoint in the namespace `shop`.
fn client() -> Client {
    Client::of(Caller::new("shop", "wp"), XdsConfig::default())
}

fn opening(type_url: &str, wanted: &[&str]) -> DeltaDiscoveryRequest {
    let metadata = [("NAMESPACE", "shop"), ("NODE_NAME", "a")];
    let node = node_with("waypoint~10.0.0.9~wp-1.shop~shop.svc.cluster.local", &metadata);
    DeltaDiscoveryRequest { node: Some(node), ..names(first(type_url), wanted, &[]) }
}

#[rstest]
#[case(WAYPOINT, "shop/wp")]
#[case(FRONTEND, WEB)]
#[case(BACKEND, WEB)]
#[case(ENDPOINTS, WEB)]
#[case(LABELS, CLIENT)]
fn each_kind_is_given_out_by_name(#[case] type_url: &str, #[case] name: &str) {
    let (mesh, mut client) = (mesh(), client());
    client.send(&mesh, &opening(type_url, &[name, "shop/none"]));
    let response = client.take(&mesh).unwrap();
    assert_eq!(response.type_url, type_url);
    assert_eq!(response.resources[0].name, name);
    assert_eq!(response.resources[0].version, "0000000000000001");
    assert_eq!(response.removed_resources, ["shop/none"], "what is not there is said");
    assert!(client.take(&mesh).is_none(), "and nothing of the own node's beside it");
}

#[test]
fn another_namespaces_are_not_there() {
    let (mesh, mut client) = (mesh(), client());
    client.send(&mesh, &opening(WAYPOINT, &["bank/wp", "bank/bank/wp"]));
    assert_eq!(client.told(&mesh), [["-bank/bank/wp", "-bank/wp"]]);
}

#[test]
fn only_changes_of_what_was_asked_for_are_told() {
    let (mut mesh, mut client) = (mesh(), client());
    client.send(&mesh, &opening(FRONTEND, &[WEB, "shop/later"]));
    client.send(&mesh, &opening(ENDPOINTS, &[WEB]));
    assert_eq!(client.told(&mesh), [vec![WEB, "-shop/later"], vec![WEB]]);
    mesh.change([layer7(Backend, "shop", WEB, 2), layer7(Frontend, "bank", WEB, 3)]);
    assert!(client.told(&mesh).is_empty());
    mesh.change([layer7(Endpoints, "shop", WEB, 2), layer7(Frontend, "shop", "shop/later", 1)]);
    assert_eq!(client.told(&mesh), [["shop/later"], [WEB]]);
    client.send(&mesh, &ask(FRONTEND, &[], &["shop/later"]));
    mesh.change([layer7(Frontend, "shop", "shop/later", 2)]);
    assert!(client.told(&mesh).is_empty(), "it was given up");
}

#[test]
fn what_goes_is_told_in_its_own_kind() {
    let (mut mesh, mut client) = (mesh(), client());
    client.send(&mesh, &opening(WAYPOINT, &["shop/wp"]));
    client.send(&mesh, &opening(FRONTEND, &["shop/wp"]));
    client.told(&mesh);
    mesh.remove(&["shop/shop/wp"]);
    assert_eq!(client.told(&mesh), [["-shop/wp"]]);
}

#[test]
fn who_comes_back_is_told_the_difference() {
    let (mesh, mut client) = (mesh(), client());
    let held = [(WEB, "0000000000000001"), ("shop/gone", "0000000000000001")];
    client.send(&mesh, &holding(opening(FRONTEND, &[WEB]), &held));
    client.send(&mesh, &holding(opening(BACKEND, &[WEB]), &[(WEB, "0000000000000009")]));
    assert_eq!(client.told(&mesh), [vec!["-shop/gone"], vec![WEB]]);
}

/// With the pod of the waypoint.
fn mesh_with_waypoint() -> Mesh {
    let service = "shop/wp.shop.svc.cluster.local";
    let mut mesh = mesh();
    mesh.pod = Some(("c//Pod/shop/wp-1".to_owned(), "gateways".to_owned()));
    mesh.change([
        pod("c//Pod/shop/wp-1", "10.0.1.2", "a", &[service], &[], 1),
        layer7(Layer7::Secret, "shop", "shop/pair", 1),
        layer7(Layer7::Secret, "bank", "bank/pair", 1),
    ]);
    mesh
}

#[rstest]
#[case::of_the_gateways_name("wp")]
#[case::of_a_pod_behind_it("gateways")]
fn a_secret_is_given_to_the_waypoints_of_its_namespace(#[case] account: &str) {
    let (mesh, mut client) =
        (mesh_with_waypoint(), Client::of(Caller::new("shop", account), XdsConfig::default()));
    client.send(&mesh, &opening(SECRET, &["shop/pair", "bank/pair"]));
    assert_eq!(client.told(&mesh), [["shop/pair", "-bank/pair"]]);
}

#[rstest]
#[case::another_account("default", true)]
#[case::before_its_pod_is_known("gateways", false)]
fn a_secret_is_not_given_to_who_only_says_that_he_is_one(#[case] account: &str, #[case] is_there: bool) {
    let mesh = if is_there { mesh_with_waypoint() } else { mesh() };
    let mut client = Client::of(Caller::new("shop", account), XdsConfig::default());
    let refused = client.session.request(&opening(SECRET, &["shop/pair"]), &mesh.store.current());
    assert!(matches!(refused, Err(Refusal::NoSecrets(_))), "{refused:?}");
}

#[rstest]
#[case::star(&["*"])]
#[case::star_and_a_name(&["*", WEB])]
#[case::nothing(&[])]
fn everything_is_refused(
    #[case] wanted: &[&str],
    #[values(Labels, Waypoint, Frontend, Backend, Endpoints)] kind: Layer7,
) {
    let (type_url, label) = match kind {
        Labels => (LABELS, "labels"),
        Waypoint => (WAYPOINT, "waypoint"),
        Frontend => (FRONTEND, "frontend"),
        Backend => (BACKEND, "backend"),
        Endpoints => (ENDPOINTS, "endpoints"),
        Layer7::Secret => unreachable!("who may have it comes first"),
    };
    let (mesh, mut client) = (mesh(), client());
    let refused = client.session.request(&opening(type_url, wanted), &mesh.store.current());
    assert_eq!(refused.unwrap_err(), Refusal::NoWildcard(label));
}

#[test]
fn everything_is_refused_later_too() {
    let (mesh, mut client) = (mesh(), client());
    client.send(&mesh, &opening(FRONTEND, &[WEB]));
    client.send(&mesh, &ask(FRONTEND, &[], &[WEB]));
    let refused = client.session.request(&ask(FRONTEND, &["*"], &[]), &mesh.store.current());
    assert_eq!(refused.unwrap_err(), Refusal::NoWildcard("frontend"));
}

#[test]
fn who_is_no_waypoint_is_refused() {
    let (mesh, mut client) = (mesh(), Client::new(XdsConfig::default()));
    let asked = names(first(FRONTEND), &[WEB], &[]);
    let refused = client.session.request(&asked, &mesh.store.current()).unwrap_err();
    assert!(matches!(&refused, Refusal::NotAWaypoint { kind: "frontend", .. }));
    assert_eq!(tonic::Status::from(refused).code(), tonic::Code::PermissionDenied);
}

#[test]
fn who_says_to_be_of_another_namespace_is_refused() {
    let mesh = mesh();
    let mut client = Client::of(Caller::new("bank", "wp"), XdsConfig::default());
    let refused = client.session.request(&opening(FRONTEND, &[WEB]), &mesh.store.current());
    assert!(matches!(refused.unwrap_err(), Refusal::NotTheCaller { .. }));
}

#[test]
fn workloads_and_what_waypoints_are_told_share_a_stream() {
    let (mesh, mut client) = (mesh(), client());
    client.send(&mesh, &opening(WAYPOINT, &["shop/wp"]));
    client.send(&mesh, &opening(ADDRESS, &[]));
    assert_eq!(client.told(&mesh), [["c//Pod/shop/web-1"], ["shop/wp"]]);
}
