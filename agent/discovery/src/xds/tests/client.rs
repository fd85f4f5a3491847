//! The protocol without the wire.

use rstest::rstest;
use weir_proto::discovery::{DeltaDiscoveryResponse, Resource};
use weir_proto::{MORE_FOLLOWS, type_url};

use super::fixture::*;
use crate::xds::Client;
use crate::xds::subscription::MOST_TOLD;

fn client() -> Client {
    Client::new(config_of_n1().node.message())
}

#[rstest]
#[case::empty(Resource { resource: None, ..pod("web", "1") }, "the resource is empty")]
#[case::other_type(resource(&uid("web"), "1", type_url::WORKLOAD, vec![]), "it is of type")]
#[case::no_protobuf(resource(&uid("web"), "1", type_url::ADDRESS, vec![0xff; 9]), "decode")]
#[case::neither(resource(&uid("web"), "1", type_url::ADDRESS, vec![]), "type: is missing")]
#[case::other_name(Resource { name: uid("db"), ..pod("web", "1") }, "the resource in it is")]
#[case::enum_of_the_future(bad_pod("web", "1"), "99 is not a known TunnelProtocol")]
fn what_is_refused(#[case] bad: Resource, #[case] why: &str) {
    let mut client = client();
    let outcome = client.receive(addresses("n", vec![bad, service("good", "1")]));
    let message = outcome.answer.error_detail.unwrap().message;
    assert!(message.contains(why), "{message}");
    assert_eq!((client.directory().workloads().len(), client.directory().services().len()), (0, 1));
}

#[test]
fn a_refusal_of_many_is_a_short_text() {
    let many = (0..1000).map(|n| bad_pod(&format!("p{n}"), "1")).collect();
    let message = client().receive(addresses("n", many)).answer.error_detail.unwrap().message;
    assert!(message.len() < 8192 && message.ends_with("and 980 more"), "{}", message.len());
}

#[test]
fn what_was_in_force_stays_when_its_next_version_is_refused() {
    let mut client = client();
    client.receive(addresses("1", vec![pod("web", "v1")]));
    client.receive(addresses("2", vec![bad_pod("web", "v2")]));
    assert_eq!(&*client.directory().workload(&uid("web")).unwrap().canonical_revision, "v1");
    assert_eq!(client.rejected().count(), 1);
    client.receive(removed(addresses("3", vec![]), &[&uid("web")]));
    assert_eq!((client.directory().workloads().len(), client.rejected().count()), (0, 0));
}

#[test]
fn one_name_is_one_thing() {
    let named = |name: &str, of| of_address(name, "1", of);
    let workload = weir_proto::workload::Workload { uid: "shop/web".into(), ..Default::default() };
    let as_workload = named("shop/web", weir_proto::workload::address::Type::Workload(workload));
    let mut client = client();
    client.receive(addresses("1", vec![service("web", "1")]));
    client.receive(addresses("2", vec![as_workload]));
    assert_eq!((client.directory().workloads().len(), client.directory().services().len()), (1, 0));
    client.receive(addresses("3", vec![service("web", "1")]));
    assert_eq!((client.directory().workloads().len(), client.directory().services().len()), (0, 1));
    client.receive(removed(addresses("4", vec![]), &["shop/web"]));
    assert_eq!(client.directory().services().len(), 0);
}

#[rstest]
#[case::nobody("nobody")]
#[case::empty("")]
#[case::slashes("///")]
#[case::service_like("a/b/c")]
fn removing_what_is_not_there_is_nothing(#[case] name: &str) {
    let outcome = client().receive(removed(addresses("1", vec![]), &[name]));
    assert!(outcome.answer.error_detail.is_none() && outcome.changes.is_empty());
}

/// Control planes take no request of more than 4 MiB: a large mesh cannot be told in one.
#[test]
fn what_did_not_fit_into_the_first_request_is_gone_if_the_first_batch_does_not_bring_it() {
    let pad = "x".repeat(180);
    let name = |n: usize| format!("{n}-{pad}");
    let mut client = client();
    client.receive(addresses("1", (0..20_000).map(|n| pod(&name(n), "00000000000000aa")).collect()));
    let request = client.open().remove(0);
    let told = request.initial_resource_versions;
    assert!(prost::Message::encoded_len(&client.open()[0]) <= MOST_TOLD + 4096, "4 MiB is what servers take");
    assert!(!told.is_empty() && told.len() < 20_000, "{}", told.len());

    // Untold and still there, but for one; of the told, one is gone.
    let untold: Vec<_> = (0..20_000).filter(|n| !told.contains_key(&uid(&name(*n)))).collect();
    let told_and_gone = told.keys().next().unwrap().clone();
    let (first, rest) = untold.split_at(untold.len() / 2);
    let bring = |of: &[usize]| of.iter().map(|n| pod(&name(*n), "00000000000000ab")).collect();
    let part =
        DeltaDiscoveryResponse { system_version_info: MORE_FOLLOWS.into(), ..addresses("2", bring(first)) };
    client.receive(part);
    assert_eq!(client.directory().workloads().len(), 20_000, "the batch is not whole");
    client.receive(removed(addresses("3", bring(&rest[1..])), &[&told_and_gone]));
    assert_eq!(client.directory().workloads().len(), 19_998);
    assert!(client.directory().workload(&uid(&name(rest[0]))).is_none());
}
