//! What a good control plane sees and causes.

use weir_proto::{MORE_FOLLOWS, type_url};

use super::fixture::*;

#[tokio::test(start_paused = true)]
async fn a_stream_begins_with_who_we_are_and_everything() {
    let mut agent = Agent::start();
    let (call, requests) = agent.opened().await;
    assert_eq!(
        requests.each_ref().map(|r| r.type_url.as_str()),
        [type_url::ADDRESS, type_url::AUTHORIZATION]
    );
    for request in &requests {
        assert_eq!(
            request.node.as_ref().unwrap().id,
            "ztunnel~1.1.1.1~agent.weir-system~weir-system.svc.cluster.local"
        );
        assert!(request.resource_names_subscribe.is_empty() && request.initial_resource_versions.is_empty());
        assert!(request.response_nonce.is_empty() && request.error_detail.is_none());
    }
    assert_eq!(call.headers.get("authorization").unwrap(), "Bearer secret");
    assert_eq!(call.headers.get("clusterid").unwrap(), "Kubernetes");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_published_before_every_type_is_complete() {
    let mut agent = Agent::start();
    let (mut call, _) = agent.opened().await;
    let ack = call.ask(addresses("a1", vec![pod("web", "1"), service("web.svc", "1")])).await;
    assert_eq!((ack.type_url.as_str(), ack.response_nonce.as_str()), (type_url::ADDRESS, "a1"));
    assert!(ack.node.is_none() && ack.error_detail.is_none() && ack.resource_names_subscribe.is_empty());
    assert_eq!(agent.store.load().workloads().len(), 0, "a policy for it may be on its way");
    assert!(!agent.updates.has_changed().unwrap() && !agent.status.is_ready());

    let part = policies("p1", vec![of_policy(&policy("shop", "one", 2), "1")]);
    call.ask(weir_proto::discovery::DeltaDiscoveryResponse {
        system_version_info: MORE_FOLLOWS.into(),
        ..part
    })
    .await;
    assert_eq!(agent.store.load().workloads().len(), 0, "half of the policies is not all of them");
    assert!(!agent.status.is_ready());

    call.ask(policies("p2", vec![of_policy(&policy("shop", "two", 2), "1")])).await;
    let directory = agent.store.load();
    assert_eq!(
        (directory.workloads().len(), directory.services().len(), directory.policies().len()),
        (1, 1, 2)
    );
    assert!(agent.status.is_ready() && agent.status.report().connected);
    let update = agent.updates.borrow_and_update();
    assert_eq!(update.local.len(), 1);
    assert_eq!(update.local[0].netns.to_str(), Some("/run/netns/web"));
}

#[tokio::test(start_paused = true)]
async fn an_empty_mesh_is_an_answer_too() {
    let mut agent = Agent::start();
    let (mut call, _) = agent.opened().await;
    call.ask(addresses("a1", vec![])).await;
    call.ask(policies("p1", vec![])).await;
    assert!(agent.status.is_ready());
    assert!(agent.updates.has_changed().unwrap(), "the pods manager waits for a first word");
}

#[tokio::test(start_paused = true)]
async fn what_is_bad_is_refused_alone_and_readiness_waits_for_a_good_batch() {
    let mut agent = Agent::start();
    let (mut call, _) = agent.opened().await;
    call.ask(policies("p1", vec![])).await;
    let nack = call.ask(addresses("a1", vec![pod("web", "1"), bad_pod("bad", "1"), service("s", "1")])).await;
    let error = nack.error_detail.unwrap();
    assert_eq!((nack.response_nonce.as_str(), error.code), ("a1", 0));
    assert!(
        error.message.contains(&uid("bad")) && error.message.contains("99 is not a known"),
        "{}",
        error.message
    );
    let directory = agent.store.load();
    assert_eq!(
        (directory.workloads().len(), directory.services().len()),
        (1, 1),
        "the good ones are in force"
    );
    assert!(!agent.status.is_ready());
    assert_eq!(agent.status.report().rejected[0].0, uid("bad"));

    assert!(call.ask(addresses("a2", vec![pod("bad", "2")])).await.error_detail.is_none());
    assert!(agent.status.is_ready() && agent.status.report().rejected.is_empty());
    assert_eq!(agent.store.load().workloads().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn others_pods_do_not_wake_who_follows_ours() {
    let mut agent = Agent::start();
    let (mut call, _) = agent.opened().await;
    call.ask(policies("p1", vec![])).await;
    call.ask(addresses("a1", vec![pod("web", "1")])).await;
    agent.updates.borrow_and_update();
    call.ask(addresses("a2", vec![service("x", "1")])).await;
    assert!(!agent.updates.has_changed().unwrap());
    call.ask(removed(addresses("a3", vec![]), &[&uid("web")])).await;
    assert!(agent.updates.has_changed().unwrap());
    assert_eq!(agent.updates.borrow_and_update().local.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_large_response_and_an_unknown_type() {
    let mut agent = Agent::start();
    let (mut call, _) = agent.opened().await;
    let strange =
        weir_proto::discovery::DeltaDiscoveryResponse { type_url: "x/Y".into(), ..addresses("u", vec![]) };
    let ack = call.ask(strange).await;
    assert_eq!((ack.type_url.as_str(), ack.response_nonce.as_str()), ("x/Y", "u"));
    assert!(ack.error_detail.is_none());
    call.ask(policies("p1", vec![])).await;
    let many = (0..5000).map(|n| pod(&format!("p{n}"), "1")).chain([bad_pod("bad", "1")]).collect();
    let nack = call.ask(addresses("a1", many)).await;
    assert!(nack.error_detail.is_some());
    assert_eq!(agent.store.load().workloads().len(), 5000);
}
