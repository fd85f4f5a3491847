//! Pods of the node, where the control plane tells of them.

use prost::Message;
use weir_proto::discovery::{DeltaDiscoveryResponse, Resource};
use weir_proto::{node, type_url, workload};

use super::fixture::*;
use crate::Wish;
use crate::xds::Client;

fn client() -> Client {
    Client::new(config_of_n1().node.message()).with_node_pods()
}

fn told(name: &str, change: impl FnOnce(&mut node::Pod)) -> Resource {
    let mut pod =
        node::Pod { namespace: "shop".into(), name: name.into(), uid: "u".into(), ..node::Pod::default() };
    change(&mut pod);
    resource(&format!("shop/{name}"), "1", type_url::NODE_POD, pod.encode_to_vec())
}

fn response(resources: Vec<Resource>) -> DeltaDiscoveryResponse {
    DeltaDiscoveryResponse { type_url: type_url::NODE_POD.into(), ..addresses("n", resources) }
}

#[test]
fn the_mesh_is_not_complete_before_the_nodes_pods_are_known() {
    let mut client = client();
    let urls: Vec<_> = client.open().into_iter().map(|request| request.type_url).collect();
    assert_eq!(urls, [type_url::ADDRESS, type_url::AUTHORIZATION, type_url::NODE_POD]);
    client.receive(addresses("1", vec![]));
    client.receive(policies("2", vec![]));
    assert!(!client.is_complete());
    let outcome = client.receive(response(vec![told("web", |pod| pod.wish = 1)]));
    assert_eq!((outcome.changes.node_pods, outcome.refused.len()), (1, 0));
    assert!(client.is_complete());
    assert_eq!(client.node_pods()[0].wish, Wish::Enrol);
    assert_eq!(client.open()[2].initial_resource_versions.len(), 1, "a reconnect says what is held");
    let gone = removed(response(vec![]), &["shop/web"]);
    assert_eq!(client.receive(gone).changes.node_pods, 1);
    assert!(client.node_pods().is_empty());
}

#[test]
fn a_bad_pod_is_refused_alone_and_what_was_known_of_it_stays() {
    let mut client = client();
    client.receive(response(vec![told("web", |pod| pod.wish = 1), told("db", |_| {})]));
    let outcome =
        client.receive(response(vec![told("web", |pod| pod.wish = 9), told("db", |pod| pod.wish = 1)]));
    assert_eq!(outcome.refused.len(), 1);
    assert!(client.node_pods().iter().all(|pod| pod.wish == Wish::Enrol));
}

#[test]
fn a_pod_without_an_address_is_in_the_picture_of_its_node_until_the_mesh_has_it() {
    let mut client = client();
    let early = workload::Workload {
        uid: uid("web"),
        service_account: "early".into(),
        ..workload::Workload::default()
    };
    client.receive(response(vec![told("web", |pod| pod.workload = Some(early))]));
    assert_eq!(&*client.picture().workload(&uid("web")).unwrap().service_account, "early");
    client.receive(addresses("2", vec![pod("web", "1")]));
    assert_ne!(&*client.picture().workload(&uid("web")).unwrap().service_account, "early");
}
