//! A control plane that behaves as istiod does (wire.md 2.4 to 2.7), where that is not as ours does.

use std::collections::BTreeMap;

use prost::Message;
use weir_proto::core::Node;
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource};
use weir_proto::security::Scope;
use weir_proto::{type_url, workload};

use super::fixture::*;
use crate::xds::Client;

/// What istiod has, and how it tells it.
#[derive(Default)]
struct Istiod {
    addresses: BTreeMap<String, Resource>,
    policies: BTreeMap<String, Resource>,
    pushes: u32,
}

impl Istiod {
    fn of(
        addresses: impl IntoIterator<Item = Resource>,
        policies: impl IntoIterator<Item = Resource>,
    ) -> Self {
        let by_name = |resource: Resource| (resource.name.clone(), resource);
        Self {
            addresses: addresses.into_iter().map(by_name).collect(),
            policies: policies.into_iter().map(by_name).collect(),
            pushes: 0,
        }
    }

    /// The answer to the first request of a type: what the client has in the same version is left out, but of policies,
    /// which have no version; names that it has and that are not there are removed.
    fn first(&mut self, request: &DeltaDiscoveryRequest) -> DeltaDiscoveryResponse {
        let held = &request.initial_resource_versions;
        let all = self.all(&request.type_url);
        let news = |r: &&Resource| r.version.is_empty() || held.get(&r.name) != Some(&r.version);
        let resources = all.values().filter(news).cloned().collect();
        let gone = held.keys().filter(|name| !all.contains_key(*name)).cloned().collect();
        self.response(&request.type_url, resources, gone)
    }

    /// A push of everything, whether it changed or not.
    fn full(&mut self, url: &str) -> DeltaDiscoveryResponse {
        let resources = self.all(url).values().cloned().collect();
        self.response(url, resources, Vec::new())
    }

    fn all(&self, url: &str) -> &BTreeMap<String, Resource> {
        if url == type_url::ADDRESS { &self.addresses } else { &self.policies }
    }

    /// It names the version of its whole configuration, which changes with every push.
    fn response(&mut self, url: &str, resources: Vec<Resource>, gone: Vec<String>) -> DeltaDiscoveryResponse {
        self.pushes += 1;
        DeltaDiscoveryResponse {
            system_version_info: format!("2026-11-21T16:00:00Z/{}", self.pushes),
            resources,
            type_url: url.into(),
            nonce: format!("2026-11-21T16:00:00Z/{}{:08x}", self.pushes, 0xfeed_0000 + self.pushes),
            removed_resources: gone,
            control_plane: None,
        }
    }

    /// Both first answers, in its order: workloads before policies.
    async fn greet(&mut self, agent: &mut Agent) -> Call {
        let (mut call, requests) = agent.opened().await;
        for request in &requests {
            let answer = call.ask(self.first(request)).await;
            assert!(answer.error_detail.is_none() && !answer.response_nonce.is_empty());
        }
        call
    }
}

fn guarded(name: &str, policy: &str) -> Resource {
    let workload = workload::Workload {
        uid: uid(name),
        name: name.into(),
        namespace: "shop".into(),
        authorization_policies: vec![policy.into()],
        ..Default::default()
    };
    of_address(&uid(name), "0000000000000001", workload::address::Type::Workload(workload))
}

fn selector(name: &str) -> Resource {
    of_policy(&policy("shop", name, Scope::WorkloadSelector as i32), "")
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_ready_with_an_empty_mesh_and_with_one() {
    for mut istiod in [
        Istiod::default(),
        Istiod::of(
            [pod("web", "0000000000000001"), service("web.svc", "0000000000000002")],
            [selector("one")],
        ),
    ] {
        let mut agent = Agent::start();
        let _call = istiod.greet(&mut agent).await;
        assert!(agent.status.is_ready(), "nothing ever says that more follows, or that nothing does");
        assert!(agent.updates.has_changed().unwrap());
        let directory = agent.store.load();
        let known = directory.workloads().len() + directory.services().len();
        assert_eq!((known, directory.policies().len()), (istiod.addresses.len(), istiod.policies.len()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_again_unchanged_wakes_nobody() {
    let mut istiod = Istiod::of(
        [pod("web", "0000000000000001"), service("web.svc", "0000000000000002")],
        [selector("one")],
    );
    let mut agent = Agent::start();
    let mut call = istiod.greet(&mut agent).await;
    agent.updates.borrow_and_update();
    let before = agent.store.load();
    for url in [type_url::ADDRESS, type_url::AUTHORIZATION, type_url::ADDRESS] {
        assert!(call.ask(istiod.full(url)).await.error_detail.is_none());
    }
    assert!(!agent.updates.has_changed().unwrap());
    assert!(std::sync::Arc::ptr_eq(&before, &agent.store.load()), "connections are not judged again");
}

#[tokio::test(start_paused = true)]
async fn names_that_nobody_knows_are_removed_in_vain() {
    let mut istiod = Istiod::of(
        [pod("web", "0000000000000001"), service("web.svc", "0000000000000002")],
        [selector("one")],
    );
    let mut agent = Agent::start();
    let mut call = istiod.greet(&mut agent).await;
    // Of other clients' questions (network/address), of pods that came and went within one push, and of nothing.
    let strangers = ["/10.0.0.1", "net/10.0.0.1", "shop/", &uid("brief"), "", "shop/nobody.svc"];
    for url in [type_url::ADDRESS, type_url::AUTHORIZATION] {
        let gone = strangers.map(str::to_owned).to_vec();
        let news = if url == type_url::ADDRESS { vec![pod("db", "0000000000000003")] } else { Vec::new() };
        assert!(call.ask(istiod.response(url, news, gone)).await.error_detail.is_none());
    }
    let directory = agent.store.load();
    assert_eq!(
        (directory.workloads().len(), directory.services().len(), directory.policies().len()),
        (2, 1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_comes_before_its_policy_lets_nobody_in_meanwhile() {
    let mut istiod = Istiod::default();
    let mut agent = Agent::start();
    let mut call = istiod.greet(&mut agent).await;
    let is_missing = |agent: &Agent| {
        let directory = agent.store.load();
        let workload = directory.workload(&uid("web")).unwrap().clone();
        directory.missing_policy(&workload).is_some()
    };
    call.ask(istiod.response(type_url::ADDRESS, vec![guarded("web", "shop/one")], Vec::new())).await;
    assert!(is_missing(&agent));
    call.ask(istiod.response(type_url::AUTHORIZATION, vec![selector("one")], Vec::new())).await;
    assert!(!is_missing(&agent));
}

#[tokio::test(start_paused = true)]
async fn after_an_absence_only_the_difference_comes() {
    let of = |names: &[(&str, &str)]| -> Vec<Resource> { names.iter().map(|(n, v)| pod(n, v)).collect() };
    let mut istiod = Istiod::of(
        of(&[("web", "0000000000000001"), ("db", "0000000000000002"), ("gone", "0000000000000003")]),
        [selector("one"), selector("gone")],
    );
    let mut agent = Agent::start();
    drop(istiod.greet(&mut agent).await);

    // A push that was under way is lost with the stream; another replica answers.
    let mut other =
        Istiod::of(of(&[("web", "0000000000000001"), ("db", "0000000000000022")]), [selector("one")]);
    other.pushes = 7000;
    let (mut call, requests) = agent.opened().await;
    let [addresses, policies] = requests.each_ref().map(|request| other.first(request));
    let names = |response: &DeltaDiscoveryResponse| -> Vec<String> {
        response.resources.iter().map(|resource| resource.name.clone()).collect()
    };
    assert_eq!((names(&addresses), &addresses.removed_resources), (vec![uid("db")], &vec![uid("gone")]));
    assert_eq!(
        (names(&policies), &policies.removed_resources),
        (vec!["shop/one".into()], &vec!["shop/gone".into()])
    );
    call.ask(addresses).await;
    call.ask(policies).await;
    let directory = agent.store.load();
    assert_eq!((directory.workloads().len(), directory.policies().len()), (2, 1));
    assert_eq!(&*directory.workload(&uid("db")).unwrap().canonical_revision, "0000000000000022");
}

#[tokio::test(start_paused = true)]
async fn types_that_were_not_asked_for_and_resources_with_aliases() {
    let mut istiod = Istiod::default();
    let mut agent = Agent::start();
    let mut call = istiod.greet(&mut agent).await;
    let cluster = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
    let push =
        istiod.response(cluster, vec![resource("inbound", "", cluster, vec![1, 2, 3])], vec!["x".into()]);
    assert!(call.ask(push).await.error_detail.is_none());
    // As for a client on demand.
    let aliased = Resource { aliases: vec!["/10.0.0.1".into()], ..pod("web", "0000000000000001") };
    let gone = vec!["/10.0.0.1".to_owned()];
    call.ask(istiod.response(type_url::ADDRESS, vec![aliased], gone)).await;
    assert!(agent.store.load().workload(&uid("web")).is_some());
}

/// Fields of the protocol that our messages leave out, and some of its future.
#[test]
fn fields_that_we_do_not_know_are_passed_over() {
    let field = |number: u8, value: &[u8]| [&[number << 3 | 2, value.len() as u8][..], value].concat();
    // cache_control, resource_name, metadata; and a field of the future.
    let more =
        [field(7, &[]), field(8, &field(1, b"n")), field(9, &field(1, b"m")), field(15, b"?")].concat();
    let resource = [pod("web", "0000000000000001").encode_to_vec(), more].concat();
    let known = Istiod::default().response(type_url::ADDRESS, Vec::new(), Vec::new()).encode_to_vec();
    // control_plane, removed_resource_names, resource_errors.
    let around =
        [field(7, &field(1, b"{\"Component\":\"istiod\"}")), field(8, &field(1, b"x")), field(9, b"")]
            .concat();
    let length = [(resource.len() as u8 & 0x7f) | 0x80, (resource.len() >> 7) as u8];
    let bytes = [&known[..], &[2 << 3 | 2], &length, &resource, &around].concat();
    let mut client = Client::new(Node::default());
    let outcome = client.receive(DeltaDiscoveryResponse::decode(&*bytes).unwrap());
    assert!(outcome.refused.is_empty(), "{:?}", outcome.refused);
    assert_eq!(client.directory().workloads().len(), 1);
}
