//! What a session says to what it is asked.

use rstest::rstest;
use weir_proto::discovery::DeltaDiscoveryRequest;
use weir_proto::security::Scope;
use weir_proto::workload::Workload;

use super::client::*;
use super::mesh::{Mesh, pod, policy, policy_for, service};
use crate::xds::session::{Nack, Session};
use crate::xds::{Refusal, XdsConfig};

const WEB: &str = "shop/web.shop.svc.cluster.local";

/// Two pods of a service, one of them on node `a`, one of nobody's on node `a`, and a policy.
fn mesh() -> Mesh {
    Mesh::of([
        pod("c//Pod/shop/web-1", "10.0.1.1", "a", &[WEB], &[], 1),
        pod("c//Pod/shop/web-2", "10.0.2.1", "b", &[WEB], &[], 1),
        pod("c//Pod/shop/other", "10.0.2.2", "b", &[], &[], 1),
        service(WEB, "10.96.0.1", 1),
        policy("shop/deny", 1),
    ])
}

fn client() -> Client {
    Client::new(XdsConfig::default())
}

/// A client that asked for everything and has it.
fn wildcard(mesh: &Mesh) -> Client {
    let mut client = client();
    client.send(mesh, &first(ADDRESS));
    client.send(mesh, &first(AUTHORIZATION));
    client.drain(mesh);
    client
}

#[test]
fn everything_is_sent_and_policies_go_first() {
    let (mesh, mut client) = (mesh(), client());
    client.send(&mesh, &first(ADDRESS));
    client.send(&mesh, &first(AUTHORIZATION));
    let all = ["c//Pod/shop/other", "c//Pod/shop/web-1", "c//Pod/shop/web-2", WEB];
    assert_eq!(client.told(&mesh), [vec!["shop/deny"], all.to_vec()]);
    assert!(client.drain(&mesh).is_empty());
}

#[test]
fn resources_of_everything_have_versions_and_no_aliases() {
    let (mesh, mut client) = (mesh(), client());
    client.session.wait_no_longer();
    client.send(&mesh, &first(ADDRESS));
    let response = client.take(&mesh).unwrap();
    assert!(response.resources.iter().all(|r| r.aliases.is_empty() && r.version == "0000000000000001"));
    assert_eq!(response.system_version_info, "");
    assert!(response.resources.iter().all(|r| r.resource.as_ref().unwrap().type_url == ADDRESS));
}

#[rstest]
#[case::empty_subscription(first(ADDRESS), true)]
#[case::star(names(first(ADDRESS), &["*"], &[]), true)]
#[case::star_and_a_name(names(first(ADDRESS), &["*", WEB], &[]), true)]
#[case::holding(holding(first(ADDRESS), &[("c//Pod/shop/other", "0000000000000001")]), true)]
#[case::on_demand(on_demand(), false)]
#[case::a_name(names(first(ADDRESS), &["c//Pod/shop/other"], &[]), false)]
fn the_first_request_says_whether_everything_is_wanted(
    #[case] request: DeltaDiscoveryRequest,
    #[case] expected: bool,
) {
    let (mesh, mut client) = (mesh(), client());
    client.send(&mesh, &request);
    assert_eq!(client.session.types()[0].wildcard, expected);
}

#[rstest]
#[case(ADDRESS)]
#[case(WORKLOAD)]
#[case(AUTHORIZATION)]
fn the_first_response_comes_even_with_nothing_in_it(#[case] type_url: &str) {
    let (mesh, mut client) = (Mesh::of([]), client());
    client.session.wait_no_longer();
    client.send(&mesh, &first(type_url));
    assert_eq!(client.told(&mesh), [Vec::<String>::new()]);
    assert!(client.take(&mesh).is_none(), "and only once");
}

#[test]
fn only_what_changed_is_pushed_and_changes_merge() {
    let mut mesh = mesh();
    let mut client = wildcard(&mesh);
    for version in 2..9 {
        mesh.change([pod("c//Pod/shop/other", "10.0.2.2", "b", &[], &[], version)]);
    }
    mesh.remove(&["c//Pod/shop/web-2"]);
    assert_eq!(client.told(&mesh), [["c//Pod/shop/other", "-c//Pod/shop/web-2"]]);
    assert_eq!(client.addresses["c//Pod/shop/other"], "0000000000000008");
}

#[test]
fn what_came_and_went_meanwhile_is_harmless() {
    let mut mesh = mesh();
    let mut client = wildcard(&mesh);
    mesh.change([pod("c//Pod/shop/brief", "10.0.2.9", "b", &[], &[], 1)]);
    mesh.remove(&["c//Pod/shop/brief"]);
    assert_eq!(client.told(&mesh), [["-c//Pod/shop/brief"]]);
}

#[test]
fn one_that_comes_late_is_not_told_what_went_before() {
    let mut mesh = mesh();
    mesh.remove(&["c//Pod/shop/web-2"]);
    let client = wildcard(&mesh);
    assert_eq!(client.addresses.len(), 3);
    assert!(client.absent.is_empty());
}

#[test]
fn a_client_that_comes_back_gets_the_difference() {
    let (mesh, mut client) = (mesh(), client());
    client.session.wait_no_longer();
    let held = [
        ("c//Pod/shop/web-1", "0000000000000001"),
        ("c//Pod/shop/web-2", "00000000000000ff"),
        ("c//Pod/shop/gone", "0000000000000001"),
        ("/10.9.9.9", ""),
        (WEB, ""),
    ];
    client.send(&mesh, &holding(first(ADDRESS), &held));
    assert_eq!(
        client.told(&mesh),
        [["c//Pod/shop/other", "c//Pod/shop/web-2", WEB, "-/10.9.9.9", "-c//Pod/shop/gone"]]
    );
}

#[test]
fn policies_are_sent_again_to_a_client_that_comes_back() {
    let (mesh, mut client) = (mesh(), client());
    let held = [("shop/deny", "0000000000000001"), ("shop/gone", "0000000000000001")];
    client.send(&mesh, &holding(first(AUTHORIZATION), &held));
    assert_eq!(client.told(&mesh), [["shop/deny"], ["-shop/gone"]]);
}

#[test]
fn on_demand_begins_with_the_workloads_of_the_own_node() {
    let (mesh, mut client) = (mesh(), client());
    client.session.wait_no_longer();
    client.send(&mesh, &on_demand());
    assert_eq!(client.told(&mesh), [["c//Pod/shop/web-1"]]);
}

#[rstest]
#[case::a_service_with_its_workloads(WEB, &["c//Pod/shop/web-1", "c//Pod/shop/web-2", WEB])]
#[case::a_service_by_its_address("/10.96.0.1", &["c//Pod/shop/web-1", "c//Pod/shop/web-2", WEB])]
#[case::a_pod("c//Pod/shop/other", &["c//Pod/shop/other"])]
#[case::a_pod_by_its_address("/10.0.2.2", &["c//Pod/shop/other"])]
#[case::one_that_is_held_already("c//Pod/shop/web-1", &["c//Pod/shop/web-1"])]
#[case::nothing("/10.9.9.9", &["-/10.9.9.9"])]
#[case::a_policy_is_no_address("shop/deny", &["-shop/deny"])]
fn names_are_answered(#[case] asked: &str, #[case] expected: &[&str]) {
    let (mesh, mut client) = (mesh(), client());
    client.session.wait_no_longer();
    client.send(&mesh, &on_demand());
    client.drain(&mesh);
    client.send(&mesh, &ask(ADDRESS, &[asked], &[]));
    let responses = client.drain(&mesh);
    assert_eq!(responses.len(), 1);
    assert_eq!(summary(&responses[0]), expected);
    assert!(responses[0].resources.iter().all(|resource| resource.aliases.len() == 1));
}

#[test]
fn a_name_is_answered_beside_everything_too() {
    let mesh = mesh();
    let mut client = wildcard(&mesh);
    client.send(&mesh, &ask(ADDRESS, &["/10.0.2.2", "/10.9.9.9"], &[]));
    let response = client.take(&mesh).unwrap();
    assert_eq!(summary(&response), ["c//Pod/shop/other", "-/10.9.9.9"]);
    assert_eq!(response.resources[0].aliases, ["/10.0.2.2"]);
}

#[test]
fn names_that_were_asked_for_are_followed() {
    let (mut mesh, mut client) = (mesh(), client());
    client.session.wait_no_longer();
    client.send(&mesh, &on_demand());
    client.send(&mesh, &ask(ADDRESS, &["/10.96.0.1", "/10.0.2.9"], &[]));
    client.drain(&mesh);
    // A pod that nobody asked for.
    mesh.change([pod("c//Pod/shop/other", "10.0.2.2", "b", &[], &[], 2)]);
    assert!(client.told(&mesh).is_empty());
    // One that was given with its service, and a new one of that service.
    mesh.change([
        pod("c//Pod/shop/web-2", "10.0.2.1", "b", &[WEB], &[], 2),
        pod("c//Pod/shop/web-3", "10.0.3.1", "c", &[WEB], &[], 1),
    ]);
    assert_eq!(client.told(&mesh), [["c//Pod/shop/web-2", "c//Pod/shop/web-3"]]);
    // One at an address that was asked for in vain, and one that comes to the own node.
    mesh.change([
        pod("c//Pod/shop/late", "10.0.2.9", "b", &[], &[], 1),
        pod("c//Pod/shop/near", "10.0.1.9", "a", &[], &[], 1),
    ]);
    assert_eq!(client.told(&mesh), [["c//Pod/shop/late", "c//Pod/shop/near"]]);
    mesh.remove(&["c//Pod/shop/web-3", "c//Pod/shop/near", "c//Pod/shop/other"]);
    assert_eq!(client.told(&mesh), [["-c//Pod/shop/near", "-c//Pod/shop/web-3"]]);
}

#[test]
fn a_service_that_comes_later_brings_its_workloads() {
    let (mut mesh, mut client) = (mesh(), client());
    mesh.remove(&[WEB]);
    client.session.wait_no_longer();
    client.send(&mesh, &on_demand());
    client.send(&mesh, &ask(ADDRESS, &["/10.96.0.1"], &[]));
    client.drain(&mesh);
    mesh.change([service(WEB, "10.96.0.1", 2)]);
    assert_eq!(client.told(&mesh), [vec![WEB], vec!["c//Pod/shop/web-1", "c//Pod/shop/web-2"]]);
}

#[test]
fn names_given_up_are_not_followed() {
    let (mut mesh, mut client) = (mesh(), client());
    client.session.wait_no_longer();
    client.send(&mesh, &on_demand());
    client.send(&mesh, &ask(ADDRESS, &["c//Pod/shop/other"], &[]));
    client.drain(&mesh);
    client.send(&mesh, &ask(ADDRESS, &[], &["c//Pod/shop/other"]));
    mesh.change([pod("c//Pod/shop/other", "10.0.2.2", "b", &[], &[], 2)]);
    assert!(client.told(&mesh).is_empty());
}

#[test]
fn on_demand_comes_back_with_what_it_held() {
    let (mesh, mut client) = (mesh(), client());
    client.session.wait_no_longer();
    let held = [("/10.9.9.9", ""), ("/10.0.2.2", ""), (WEB, "0000000000000001"), ("c//Pod/shop/gone", "1")];
    client.send(&mesh, &holding(on_demand(), &held));
    assert_eq!(
        client.told(&mesh),
        [["c//Pod/shop/other", "c//Pod/shop/web-1", "c//Pod/shop/web-2", "-/10.9.9.9", "-c//Pod/shop/gone"]]
    );
}

#[test]
fn everything_can_be_asked_for_later_and_given_up_again() {
    let (mut mesh, mut client) = (mesh(), client());
    client.session.wait_no_longer();
    client.send(&mesh, &names(first(ADDRESS), &["c//Pod/shop/web-1"], &[]));
    client.drain(&mesh);
    client.send(&mesh, &ask(ADDRESS, &["*"], &[]));
    client.drain(&mesh);
    assert_eq!(client.addresses.len(), 4);
    client.send(&mesh, &ask(ADDRESS, &[], &["*"]));
    mesh.change([
        pod("c//Pod/shop/web-1", "10.0.1.1", "a", &[WEB], &[], 2),
        pod("c//Pod/shop/other", "10.0.2.2", "b", &[], &[], 2),
    ]);
    assert_eq!(client.told(&mesh), [["c//Pod/shop/web-1"]]);
}

#[test]
fn bare_workloads_are_the_same_without_their_wrapping() {
    let (mut mesh, mut client) = (mesh(), client());
    client.send(&mesh, &first(WORKLOAD));
    let response = client.take(&mesh).unwrap();
    assert_eq!(summary(&response), ["c//Pod/shop/other", "c//Pod/shop/web-1", "c//Pod/shop/web-2"]);
    for resource in &response.resources {
        let body = resource.resource.as_ref().unwrap();
        let workload: Workload = prost::Message::decode(&*body.value).unwrap();
        assert_eq!((&*workload.uid, &*body.type_url), (&*resource.name, WORKLOAD));
    }
    mesh.remove(&[WEB, "c//Pod/shop/other"]);
    assert_eq!(client.told(&mesh), [["-c//Pod/shop/other"]], "a service is nothing to it");
}

#[test]
fn a_policy_goes_before_what_names_it_and_leaves_after() {
    let mut mesh = mesh();
    let mut client = wildcard(&mesh);
    mesh.set(pod("c//Pod/shop/other", "10.0.2.2", "b", &[], &["shop/new"], 2));
    mesh.set(policy("shop/new", 1));
    mesh.unset("shop/deny");
    mesh.commit();
    assert_eq!(client.told(&mesh), [["shop/new"], ["c//Pod/shop/other"], ["-shop/deny"]]);
}

/// In between it would be for nobody.
#[test]
fn a_policy_that_gets_narrower_goes_behind_what_names_it() {
    let mut mesh = mesh();
    let other =
        |policies: &[&str], version| pod("c//Pod/shop/other", "10.0.2.2", "b", &[], policies, version);
    mesh.change([policy_for(Scope::Namespace, "shop/all", 1)]);
    let (mut client, mut slow) = (wildcard(&mesh), wildcard(&mesh));
    mesh.change([policy("shop/all", 2), other(&["shop/all"], 2)]);
    assert_eq!(client.told(&mesh), [["c//Pod/shop/other"], ["shop/all"]]);
    // Who is behind still holds the broad one; for the other it is a change like any.
    mesh.change([policy("shop/all", 3), other(&["shop/all"], 3)]);
    assert_eq!(client.told(&mesh), [["shop/all"], ["c//Pod/shop/other"]]);
    assert_eq!(slow.told(&mesh), [["c//Pod/shop/other"], ["shop/all"]]);
    assert_eq!(slow.policies["shop/all"], "0000000000000003");
    // And back: first it is for all, then nobody names it.
    mesh.change([policy_for(Scope::Global, "shop/all", 4), other(&[], 4)]);
    assert_eq!(client.told(&mesh), [["shop/all"], ["c//Pod/shop/other"]]);
    // Who never had the broad one does not know the name.
    mesh.change([policy_for(Scope::Namespace, "shop/new", 1)]);
    mesh.change([policy("shop/new", 2), other(&["shop/new"], 5)]);
    assert_eq!(client.told(&mesh), [["shop/new"], ["c//Pod/shop/other"]]);
    assert_eq!(wildcard(&mesh).policies["shop/new"], "0000000000000002");
    mesh.remove(&["shop/new"]);
    assert_eq!(client.told(&mesh), [["-shop/new"]]);
}

#[test]
fn a_round_is_of_one_picture() {
    let mut mesh = mesh();
    let mut client = wildcard(&mesh);
    mesh.set(policy("shop/new", 1));
    mesh.set(pod("c//Pod/shop/other", "10.0.2.2", "b", &[], &["shop/new"], 2));
    mesh.commit();
    client.take(&mesh).unwrap();
    // Between the policy and the workload, the workload comes to name a policy that the client has not.
    mesh.set(policy("shop/newer", 1));
    mesh.set(pod("c//Pod/shop/other", "10.0.2.2", "b", &[], &["shop/newer"], 3));
    mesh.unset("shop/new");
    mesh.commit();
    while client.take(&mesh).is_some() {
        assert_eq!(client.unknown_policies(), [""; 0]);
    }
    assert_eq!(client.addresses["c//Pod/shop/other"], "0000000000000003");
    assert!(!client.policies.contains_key("shop/new"));
}

#[test]
fn workloads_wait_until_a_node_proxy_asks_for_policies() {
    let (mesh, mut client) = (mesh(), client());
    client.send(&mesh, &first(ADDRESS));
    assert!(client.take(&mesh).is_none());
    assert!(client.session.waits());
    client.session.wait_no_longer();
    assert_eq!(client.drain(&mesh).len(), 1);
}

/// It is ready at its first response, and what it does not know then it sends past its tunnels.
#[test]
fn the_first_answer_to_a_client_of_istio_is_whole() {
    let pods = |version| {
        (0..100)
            .map(move |n| pod(&format!("c//Pod/shop/p{n}"), &format!("10.0.0.{n}"), "b", &[], &[], version))
    };
    let mut mesh = Mesh::of(pods(1));
    mesh.change((0..100).map(|n| policy(&format!("shop/p{n}"), 1)));
    let mut client = Client::new(XdsConfig { response: 1000, ..XdsConfig::default() });
    client.send(&mesh, &first(ADDRESS));
    client.send(&mesh, &first(AUTHORIZATION));
    let sizes: Vec<_> = client.drain(&mesh).iter().map(|response| response.resources.len()).collect();
    assert_eq!(sizes, [100, 100]);
    mesh.change(pods(2));
    assert!(client.drain(&mesh).len() > 5, "later ones may be cut");
}

#[test]
fn large_answers_are_cut() {
    let pods = (0..100).map(|n| pod(&format!("c//Pod/shop/p{n}"), &format!("10.0.0.{n}"), "b", &[], &[], 1));
    let mesh = Mesh::of(pods);
    let mut client = Client::new(XdsConfig { response: 1000, ..XdsConfig::default() });
    client.session.wait_no_longer();
    client.send(&mesh, &of_ours(first(ADDRESS)));
    let responses = client.drain(&mesh);
    assert!(responses.len() > 5, "{}", responses.len());
    assert_eq!(client.addresses.len(), 100);
    let more = responses.iter().map(|r| r.system_version_info == weir_proto::MORE_FOLLOWS);
    assert!(more.enumerate().all(|(n, more)| more == (n + 1 < responses.len())));
}

#[test]
fn nonces_differ_and_what_was_answered_is_remembered() {
    let mut mesh = mesh();
    let mut client = client();
    client.session.wait_no_longer();
    client.send(&mesh, &first(ADDRESS));
    let one = client.take(&mesh).unwrap();
    client.send(&mesh, &ack(&one));
    mesh.remove(&[WEB]);
    let two = client.take(&mesh).unwrap();
    assert_ne!(one.nonce, two.nonce);
    let current = mesh.store.current();
    let expected = Nack { label: "address", reason: "cannot parse".into() };
    assert_eq!(client.session.request(&nack(&two, "cannot parse"), &current), Ok(Some(expected)));
    assert_eq!(client.session.request(&nack(&two, "again"), &current), Ok(None), "it was counted");
    let info = client.session.types().remove(0);
    assert_eq!((info.nonce_sent, info.nonce_acked), (two.nonce, one.nonce));
    assert_eq!((info.nacks, info.nack_reason.as_deref()), (1, Some("cannot parse")));
    assert!(client.drain(&mesh).is_empty(), "what was refused is not sent again");
}

#[rstest]
#[case::of_nobody("zzz", false)]
#[case::of_another_stream("4.8.1", false)]
#[case::not_given_out_yet("4.7.99", false)]
#[case::with_more("4.7.1.1", false)]
#[case::current("", true)]
fn names_count_with_nonces_of_this_stream_only(#[case] nonce: &str, #[case] answered: bool) {
    let (mesh, mut client) = (mesh(), client());
    client.session.wait_no_longer();
    client.send(&mesh, &on_demand());
    let response = client.take(&mesh).unwrap();
    let nonce = if nonce.is_empty() { response.nonce } else { nonce.to_owned() };
    let request =
        DeltaDiscoveryRequest { response_nonce: nonce, ..ask(ADDRESS, &["c//Pod/shop/other"], &[]) };
    client.send(&mesh, &request);
    assert_eq!(client.take(&mesh).is_some(), answered);
}

#[test]
fn types_that_we_do_not_have_are_answered_with_nothing() {
    let (mesh, mut client) = (mesh(), client());
    client.send(&mesh, &first("type.googleapis.com/envoy.config.cluster.v3.Cluster"));
    let response = client.take(&mesh).unwrap();
    assert_eq!(response.type_url, "type.googleapis.com/envoy.config.cluster.v3.Cluster");
    assert!(!response.nonce.is_empty() && response.resources.is_empty());
    client.send(&mesh, &ack(&response));
    assert!(client.take(&mesh).is_none(), "an acknowledgement is not a question");
}

#[rstest]
#[case::no_node(None, Refusal::NoNode)]
#[case::no_id(Some(node_with("", &[("NAMESPACE", "weir-system")])), Refusal::NoNode)]
#[case::three_parts(
    Some(node_with("ztunnel~10.0.0.1~x", &[("NAMESPACE", "weir-system")])),
    Refusal::BadNode("ztunnel~10.0.0.1~x".into())
)]
#[case::no_ip(
    Some(node_with("ztunnel~~x~y", &[("NAMESPACE", "weir-system")])),
    Refusal::BadNode("ztunnel~~x~y".into())
)]
#[case::another_namespace(
    Some(node_with("ztunnel~10.0.0.1~x~y", &[("NAMESPACE", "shop")])),
    Refusal::NotTheCaller { caller: "weir-system/ztunnel".into(), claim: "shop/*".into() }
)]
#[case::another_namespace_in_the_id(
    Some(node_with("ztunnel~10.0.0.1~x~shop.svc.cluster.local", &[])),
    Refusal::NotTheCaller { caller: "weir-system/ztunnel".into(), claim: "shop/*".into() }
)]
#[case::another_account(
    Some(node_with("ztunnel~10.0.0.1~x~y", &[("NAMESPACE", "weir-system"), ("SERVICE_ACCOUNT", "root")])),
    Refusal::NotTheCaller { caller: "weir-system/ztunnel".into(), claim: "weir-system/root".into() }
)]
fn a_node_must_be_who_calls(#[case] node: Option<weir_proto::core::Node>, #[case] expected: Refusal) {
    let mesh = mesh();
    let mut session = Session::new(caller(), 1, XdsConfig::default());
    let request = DeltaDiscoveryRequest { node, ..first(ADDRESS) };
    assert_eq!(session.request(&request, &mesh.store.current()), Err(expected));
}

#[rstest]
#[case::ip_in_the_metadata("ztunnel~~x~y", &[("NAMESPACE", "weir-system"), ("INSTANCE_IPS", "fd00::1,10.0.0.1")])]
#[case::account("waypoint~1.1.1.1~x~y", &[("NAMESPACE", "weir-system"), ("SERVICE_ACCOUNT", "ztunnel")])]
#[case::namespace_in_the_id("agentgateway~::1~x~weir-system.svc.cluster.local", &[])]
fn nodes_that_are_let_in(#[case] id: &str, #[case] metadata: &[(&str, &str)]) {
    let mesh = mesh();
    let mut session = Session::new(caller(), 1, XdsConfig::default());
    let request = DeltaDiscoveryRequest { node: Some(node_with(id, metadata)), ..first(ADDRESS) };
    assert_eq!(session.request(&request, &mesh.store.current()), Ok(None));
}

#[test]
fn names_are_limited() {
    let (mesh, mut client) = (mesh(), Client::new(XdsConfig { max_names: 3, ..XdsConfig::default() }));
    client.send(&mesh, &on_demand());
    let current = mesh.store.current();
    let long = "x".repeat(2000);
    let request = |names: &[&str]| ask(ADDRESS, names, &[]);
    assert_eq!(client.session.request(&request(&[&long]), &current), Err(Refusal::LongName(2000)));
    assert_eq!(client.session.request(&request(&["1", "2", "3"]), &current), Ok(None));
    assert_eq!(client.session.request(&request(&["4"]), &current), Err(Refusal::ManyNames(3)));
    assert_eq!(client.session.request(&request(&["a"; 4]), &current), Err(Refusal::ManyNames(3)));
}

#[test]
fn what_a_client_brings_does_not_count_as_asked_for() {
    let (mesh, mut client) = (mesh(), Client::new(XdsConfig { max_names: 2, ..XdsConfig::default() }));
    let held = ["1", "2", "3"].map(|name| (name, "0000000000000001"));
    client.send(&mesh, &holding(on_demand(), &held));
    let (current, request) = (mesh.store.current(), |name: &str| ask(ADDRESS, &[name], &[]));
    for name in ["3", "4", "5"] {
        assert_eq!(client.session.request(&request(name), &current), Ok(None), "{name}");
    }
    assert_eq!(client.session.request(&request("6"), &current), Err(Refusal::ManyNames(2)));
}

/// Short names are cheap to send and dear to keep.
#[test]
fn no_client_brings_more_than_resources_would_take() {
    let config = XdsConfig { max_names: 3, max_request: 400, ..XdsConfig::default() };
    let (mesh, names) = (mesh(), (0..14).map(|n| format!("{n:x}")).collect::<Vec<_>>());
    let bring = |count: usize| {
        let held: Vec<_> = names[..count].iter().map(|name| (name.as_str(), "")).collect();
        let mut client = Client::new(config.clone());
        client.session.request(&holding(on_demand(), &held), &mesh.store.current())
    };
    assert_eq!((bring(13), bring(14)), (Ok(None), Err(Refusal::ManyNames(13))));
}
