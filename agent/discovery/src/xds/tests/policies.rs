//! Policies that cannot be understood leave no door open.

use rstest::rstest;
use weir_model::policy::Action;
use weir_model::{Connection, Directory, Workload, admit};
use weir_proto::discovery::Resource;
use weir_proto::security::{Authorization, Scope};
use weir_proto::type_url;

use super::fixture::*;
use crate::xds::Client;

const GLOBAL: i32 = Scope::Global as i32;
const NAMESPACE: i32 = Scope::Namespace as i32;
const SELECTOR: i32 = Scope::WorkloadSelector as i32;

fn client() -> Client {
    Client::new(config_of_n1().node.message())
}

/// A policy that denies nothing in particular.
fn harmless(scope: i32) -> Authorization {
    Authorization { action: weir_proto::security::Action::Deny as i32, ..policy("shop", "p", scope) }
}

/// Its next version has an action that nobody knows.
fn strange(scope: i32) -> Resource {
    of_policy(&Authorization { action: 99, ..policy("shop", "p", scope) }, "2")
}

fn let_in(directory: &Directory, namespace: &str, lists: &[&str]) -> bool {
    let lists = lists.iter().map(|key| (*key).into()).collect();
    let workload = Workload { authorization_policies: lists, ..Workload::pod(namespace, "web") };
    let peer = "spiffe://cluster.local/ns/shop/sa/default".parse().unwrap();
    let destination = "10.0.0.1:80".parse().unwrap();
    let connection = Connection { peer: Some(&peer), source_ip: [10, 0, 0, 9].into(), destination };
    admit(directory, &workload, &connection).is_allowed()
}

#[rstest]
#[case::of_the_mesh(GLOBAL, &[], "shop", false)]
#[case::of_the_mesh_elsewhere(GLOBAL, &[], "bank", false)]
#[case::of_a_namespace(NAMESPACE, &[], "shop", false)]
#[case::of_another_namespace(NAMESPACE, &[], "bank", true)]
#[case::that_it_lists(SELECTOR, &["shop/p"], "shop", false)]
#[case::that_others_list(SELECTOR, &[], "shop", true)]
#[case::of_a_scope_of_the_future(99, &[], "shop", false)]
#[case::of_a_scope_of_the_future_listed(99, &["shop/p"], "bank", false)]
fn a_policy_that_was_never_understood(
    #[case] scope: i32,
    #[case] lists: &[&str],
    #[case] namespace: &str,
    #[case] allowed: bool,
) {
    let mut client = client();
    let outcome = client.receive(policies("1", vec![strange(scope)]));
    assert!(outcome.answer.error_detail.is_some());
    assert_eq!(let_in(client.directory(), namespace, lists), allowed);
    client.receive(removed(policies("2", vec![]), &["shop/p"]));
    assert!(let_in(client.directory(), namespace, &[]), "what stood for it goes with it");
}

#[rstest]
#[case::of_the_mesh(GLOBAL, GLOBAL, Some(Action::Deny))]
#[case::of_a_namespace(NAMESPACE, NAMESPACE, Some(Action::Deny))]
#[case::that_workloads_list(SELECTOR, SELECTOR, None)]
#[case::of_a_wider_scope_than_before(SELECTOR, NAMESPACE, Some(Action::Allow))]
#[case::of_another_scope_than_before(NAMESPACE, GLOBAL, Some(Action::Allow))]
#[case::of_a_narrower_scope_than_before(GLOBAL, SELECTOR, None)]
fn the_next_version_is_not_understood(
    #[case] before: i32,
    #[case] after: i32,
    #[case] in_force: Option<Action>,
) {
    let mut client = client();
    client.receive(policies("1", vec![of_policy(&harmless(before), "1")]));
    client.receive(policies("2", vec![strange(after)]));
    assert_eq!(client.directory().policy("shop/p").map(|policy| policy.action), in_force);
    // A good one mends it.
    let outcome = client.receive(policies("3", vec![of_policy(&harmless(after), "3")]));
    assert!(outcome.answer.error_detail.is_none());
    assert_eq!(client.directory().policy("shop/p").unwrap().action, Action::Deny);
    assert_eq!(client.rejected().count(), 0);
}

#[rstest]
#[case::no_protobuf(resource("shop/p", "2", type_url::AUTHORIZATION, vec![0xff; 9]))]
#[case::nothing(Resource { resource: None, ..of_policy(&harmless(NAMESPACE), "2") })]
#[case::other_type(resource("shop/p", "2", type_url::ADDRESS, vec![]))]
#[case::other_name(Resource { name: "shop/p".into(), ..of_policy(&policy("shop", "q", NAMESPACE), "2") })]
fn what_cannot_even_be_read_closes_its_namespace(#[case] bad: Resource) {
    let mut client = client();
    client.receive(policies("1", vec![bad]));
    assert!(!let_in(client.directory(), "shop", &[]));
    assert!(let_in(client.directory(), "bank", &[]));
    assert!(client.directory().policy("shop/q").is_none());
    // It is told to the next control plane, or it could stay for good.
    assert_eq!(client.open()[1].initial_resource_versions["shop/p"], "");
}
