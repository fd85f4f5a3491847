//! Who is told of the pods of a node.

use std::sync::Arc;

use weir_index::{Resource, ResourceKind};
use weir_proto::discovery::DeltaDiscoveryRequest;
use weir_proto::type_url::NODE_POD;

use super::client::*;
use super::mesh::Mesh;
use crate::xds::session::Session;
use crate::xds::{Refusal, XdsConfig};

fn told(node: &str, name: &str, version: u64) -> Resource {
    Resource {
        name: format!("{node}/shop/{name}").into(),
        kind: ResourceKind::NodePod,
        version,
        body: vec![version as u8].into(),
        aliases: [].into(),
        node: node.into(),
        services: [].into(),
    }
}

fn mesh() -> Mesh {
    Mesh::of([told("a", "web", 1), told("a", "db", 1), told("ab", "web", 1), told("b", "web", 1)])
}

/// An agent that proved to be on node `a`, whatever it says.
fn client() -> Client {
    let mut client = Client::new(XdsConfig::default());
    client.session = Session::new(caller(), 7, XdsConfig::default()).at(Ok("a".into()));
    client
}

#[test]
fn an_agent_is_told_of_its_own_nodes_pods() {
    let (mut mesh, mut client) = (mesh(), client());
    client.send(&mesh, &first(NODE_POD));
    assert_eq!(client.told(&mesh), [["shop/db", "shop/web"]]);
    mesh.change([told("b", "web", 2), told("ab", "new", 1)]);
    assert!(client.told(&mesh).is_empty(), "another node's");
    mesh.change([told("a", "web", 2)]);
    assert_eq!(client.told(&mesh), [["shop/web"]]);
    mesh.remove(&["b/shop/web", "ab/shop/web"]);
    assert!(client.told(&mesh).is_empty(), "not even that it went");
    mesh.remove(&["a/shop/db"]);
    assert_eq!(client.told(&mesh), [["-shop/db"]]);
}

#[test]
fn who_comes_back_is_told_what_differs() {
    let (mesh, mut client) = (mesh(), client());
    let held = [("shop/web", "0000000000000001"), ("shop/db", "0000000000000009"), ("shop/gone", "1")];
    client.send(&mesh, &holding(first(NODE_POD), &held));
    assert_eq!(client.told(&mesh), [["shop/db", "-shop/gone"]]);
}

#[test]
fn nobody_else_is_told_and_nobody_by_name() {
    let mesh = mesh();
    let now = mesh.store.current();
    let mut client = Client::new(XdsConfig::default());
    let refused = client.session.request(&first(NODE_POD), &now);
    assert!(matches!(refused, Err(Refusal::NoNodesAgent(_))), "{refused:?}");
    let by_name: DeltaDiscoveryRequest = names(first(NODE_POD), &["shop/web"], &[]);
    let refused = self::client().session.request(&by_name, &now);
    assert_eq!(refused, Err(Refusal::OnlyAll("node_pod")));
}

#[test]
fn a_node_without_a_name_has_no_pods() {
    let mesh = Mesh::of([told("", "web", 1)]);
    let mut client = client();
    client.session = Session::new(caller(), 7, XdsConfig::default()).at(Ok(Arc::default()));
    client.send(&mesh, &first(NODE_POD));
    assert!(client.told(&mesh).concat().is_empty());
}
