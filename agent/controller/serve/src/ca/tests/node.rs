//! The node rule as a table.

use std::sync::Arc;

use rstest::rstest;
use weir_model::Identity;

use crate::auth::{Caller, PodRef};
use crate::ca::node::authorise;
use crate::ca::{CaConfig, Placement, PodPlace};

/// Node `a` has the agent `agent-a` and a pod of `shop/web`; node `b` has `agent-b` and `shop/api`.
pub(super) struct Mesh;

impl Placement for Mesh {
    fn is_ready(&self) -> bool {
        true
    }

    fn pod(&self, namespace: &str, name: &str) -> Option<PodPlace> {
        let (account, node) = match (namespace, name) {
            ("weir-system", "agent-a") => ("weir-agent", "a"),
            ("weir-system", "agent-b") => ("weir-agent", "b"),
            ("weir-system", "other") => ("other", "a"),
            ("weir-system", "nowhere") => ("weir-agent", ""),
            ("shop", "web-1") => ("web", "a"),
            _ => return None,
        };
        Some(PodPlace {
            uid: format!("uid-{name}").into(),
            service_account: account.into(),
            node: node.into(),
        })
    }

    fn runs(&self, node: &str, namespace: &str, service_account: &str) -> bool {
        matches!(
            (node, namespace, service_account),
            ("a", "shop", "web") | ("b", "shop", "api") | ("a" | "b", "weir-system", "weir-agent")
        )
    }
}

pub(super) fn config() -> CaConfig {
    let agent: (Arc<str>, Arc<str>) = ("weir-system".into(), "weir-agent".into());
    CaConfig { trust_domain: "td".into(), trusted_node_accounts: [agent].into(), ..CaConfig::default() }
}

/// `pod` with its uid, or `pod/uid`; `-` for none.
fn caller(account: &str, pod: &str, node: &str) -> Caller {
    let (namespace, account) = account.split_once('/').unwrap();
    let (name, uid) = match pod.split_once('/') {
        Some((name, uid)) => (name, uid.to_owned()),
        None => (pod, format!("uid-{pod}")),
    };
    Caller {
        pod: (pod != "-").then(|| PodRef { name: name.into(), uid: uid.into() }),
        node: (node != "-").then(|| node.into()),
        ..Caller::new(namespace, account)
    }
}

const AGENT: &str = "weir-system/weir-agent";
const WEB: &str = "spiffe://td/ns/shop/sa/web";
const API: &str = "spiffe://td/ns/shop/sa/api";

#[rstest]
#[case::a_pod_of_the_node(AGENT, "agent-a", "-", WEB, Ok(WEB))]
#[case::with_the_node_in_the_token(AGENT, "agent-a", "a", WEB, Ok(WEB))]
#[case::on_the_other_node(AGENT, "agent-b", "-", API, Ok(API))]
#[case::itself(AGENT, "agent-a", "-", "", Ok("spiffe://td/ns/weir-system/sa/weir-agent"))]
#[case::itself_by_name(
    AGENT,
    "-",
    "-",
    "spiffe://td/ns/weir-system/sa/weir-agent",
    Ok("spiffe://td/ns/weir-system/sa/weir-agent")
)]
#[case::a_workload_for_itself("shop/web", "web-1", "-", "", Ok(WEB))]
#[case::a_workload_for_itself_by_name("shop/web", "web-1", "-", WEB, Ok(WEB))]
#[case::a_pod_elsewhere(
    AGENT,
    "agent-a",
    "-",
    API,
    Err("no pod with spiffe://td/ns/shop/sa/api is known (yet) on node a")
)]
#[case::nobody(AGENT, "agent-a", "-", "spiffe://td/ns/shop/sa/ghost", Err("no pod with"))]
#[case::another_trust_domain(
    AGENT,
    "agent-a",
    "-",
    "spiffe://other/ns/shop/sa/web",
    Err("trust domain td only")
)]
#[case::itself_in_another_trust_domain(
    AGENT,
    "agent-a",
    "-",
    "spiffe://other/ns/weir-system/sa/weir-agent",
    Err("trust domain td only")
)]
#[case::a_workload_for_another("shop/web", "web-1", "-", API, Err("may only ask for itself"))]
#[case::a_workload_of_the_same_name("shop/weir-agent", "web-1", "-", WEB, Err("may only ask for itself"))]
#[case::no_pod(AGENT, "-", "-", WEB, Err("not bound to a pod"))]
#[case::a_node_token_where_pods_are_asked_for(AGENT, "-", "a", WEB, Err("not bound to a pod"))]
#[case::a_pod_of_another_time(
    AGENT,
    "agent-a/old",
    "-",
    WEB,
    Err("agent-a is not known (yet), or is another one")
)]
#[case::a_pod_without_uid(AGENT, "agent-a/", "-", WEB, Err("is another one"))]
#[case::an_unknown_pod(AGENT, "agent-c", "-", WEB, Err("agent-c is not known (yet)"))]
#[case::a_pod_of_another_account(AGENT, "other", "-", WEB, Err("runs as other"))]
#[case::a_pod_without_a_node(AGENT, "nowhere", "-", WEB, Err("nowhere is not known (yet)"))]
#[case::two_minds(AGENT, "agent-a", "b", WEB, Err("token is of node b, its pod is on a"))]
fn certificates_are_for(
    #[case] account: &str,
    #[case] pod: &str,
    #[case] node: &str,
    #[case] asked: &str,
    #[case] expected: Result<&str, &str>,
) {
    check(&config(), &caller(account, pod, node), asked, expected);
}

#[rstest]
#[case::the_tokens_node("-", "a", WEB, Ok(WEB))]
#[case::a_pod_elsewhere("-", "b", WEB, Err("on node b"))]
#[case::no_node("-", "-", WEB, Err("not bound to a pod"))]
#[case::an_empty_node("-", "", WEB, Err("not bound to a pod"))]
#[case::a_pod_counts_more("agent-c", "a", WEB, Err("agent-c is not known"))]
fn with_tokens_of_our_own_the_node_may_come_from_the_token(
    #[case] pod: &str,
    #[case] node: &str,
    #[case] asked: &str,
    #[case] expected: Result<&str, &str>,
) {
    check(&CaConfig { node_tokens: true, ..config() }, &caller(AGENT, pod, node), asked, expected);
}

fn check(config: &CaConfig, caller: &Caller, asked: &str, expected: Result<&str, &str>) {
    let asked: Option<Identity> = (!asked.is_empty()).then(|| asked.parse().unwrap());
    match (authorise(caller, asked.as_ref(), &Mesh, config), expected) {
        (Ok(identity), Ok(expected)) => assert_eq!(identity.to_string(), expected),
        (Err(denied), Err(said)) => assert!(denied.to_string().contains(said), "{denied}"),
        (got, expected) => panic!("{got:?} where {expected:?} was expected"),
    }
}
