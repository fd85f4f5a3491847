//! Control planes that go away, refuse, or play games.

use std::time::Duration;

use rstest::rstest;
use tokio::time::Instant;
use tonic::Status;

use super::fixture::*;
use crate::follow::FIRST_ANSWER;

#[tokio::test(start_paused = true)]
async fn what_is_known_survives_and_is_told_to_the_next() {
    let mut agent = Agent::start();
    let (mut call, _) = agent.opened().await;
    call.ask(policies("p1", vec![of_policy(&policy("shop", "one", 2), "")])).await;
    let version = "00000000000000ff";
    let pods = vec![pod("web", version), pod("db", "v1"), bad_pod("bad", "1"), service("web.svc", "x")];
    call.ask(addresses("a1", pods)).await;
    drop(call);

    let (mut call, [first, second]) = agent.opened().await;
    let told: Vec<_> =
        first.initial_resource_versions.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(told, [(uid("db").as_str(), "v1"), (uid("web").as_str(), version), ("shop/web.svc", "x")]);
    assert_eq!(second.initial_resource_versions["shop/one"], "");
    assert!(first.node.is_some() && first.response_nonce.is_empty());
    assert_eq!(agent.store.load().workloads().len(), 2, "in force all the time");

    call.ask(removed(addresses("b1", vec![]), &[&uid("db")])).await;
    assert_eq!(agent.store.load().workloads().len(), 1);
    assert!(agent.store.load().workload(&uid("web")).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_refused_version_of_something_known_is_asked_for_again() {
    let mut agent = Agent::start();
    let (mut call, _) = agent.opened().await;
    call.ask(addresses("a1", vec![pod("web", "v1")])).await;
    call.ask(addresses("a2", vec![bad_pod("web", "v2")])).await;
    drop(call);
    let (_call, [first, _]) = agent.opened().await;
    // Told without a version: the control plane sends it again, or says that it is gone.
    assert_eq!(first.initial_resource_versions[&uid("web")], "");
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_is_away_is_asked_less_and_less() {
    let mut agent = Agent::start();
    *agent.dials.refuse.lock().unwrap() = 15;
    let begun = Instant::now();
    let (mut call, _) = agent.opened().await;
    let times = agent.dials.times.lock().unwrap().clone();
    assert_eq!(times.len(), 16);
    assert!(times[1] - times[0] <= Duration::from_millis(10));
    let last = times[15] - times[14];
    assert!(last <= Duration::from_secs(15) && last >= Duration::from_secs(10), "{last:?}");
    assert!(begun.elapsed() < Duration::from_secs(80));
    assert!(agent.status.report().connected && agent.status.report().problem.is_none());

    // A good stream, and the next absence begins from the beginning.
    call.ask(addresses("a", vec![])).await;
    call.ask(policies("p", vec![])).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let lost = Instant::now();
    drop(call);
    agent.opened().await;
    assert!(lost.elapsed() <= Duration::from_millis(10), "{:?}", lost.elapsed());
}

#[rstest]
#[case::no_permission(Status::permission_denied("not you"))]
#[case::no_token(Status::unauthenticated("who?"))]
#[case::too_many(Status::resource_exhausted("later"))]
#[case::not_ready(Status::unavailable("still reading"))]
#[tokio::test(start_paused = true)]
async fn refusals_are_shown_and_do_not_make_us_a_nuisance(#[case] status: Status) {
    let mut agent = Agent::start();
    for _ in 0..12 {
        agent.call().await.fail(status.clone()).await;
    }
    let before = Instant::now();
    let _call = agent.call().await;
    assert!(before.elapsed() >= Duration::from_secs(10), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn streams_that_are_cut_at_once_do_not_make_us_a_nuisance() {
    let mut agent = Agent::start();
    for n in 0..12 {
        let (mut call, _) = agent.opened().await;
        call.ask(addresses(&format!("a{n}"), vec![])).await;
        call.ask(policies(&format!("p{n}"), vec![])).await;
    }
    let before = Instant::now();
    let _call = agent.call().await;
    assert!(before.elapsed() >= Duration::from_secs(10), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_reason_of_a_refusal_is_in_the_report() {
    let mut agent = Agent::start();
    agent.call().await.fail(Status::permission_denied("namespace shop is not yours")).await;
    *agent.dials.refuse.lock().unwrap() = 0;
    let _next = agent.call().await;
    let page = {
        let mut registry = prometheus_client::registry::Registry::default();
        agent.store.metrics().register(&mut registry);
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
        page
    };
    assert!(page.contains("istio_xds_connection_terminations_total{reason=\"Error\"} 1"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn who_never_answers_is_left_for_another() {
    let mut agent = Agent::start();
    let begun = Instant::now();
    let (mut first, _) = agent.opened().await;
    assert!(first.try_request().await.is_none(), "the stream ends");
    let _second = agent.call().await;
    assert!(begun.elapsed() >= FIRST_ANSWER && begun.elapsed() < FIRST_ANSWER * 2, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_answers_one_type_only_is_left_too() {
    let mut agent = Agent::start();
    let (mut first, _) = agent.opened().await;
    first.ask(addresses("a1", vec![pod("web", "1")])).await;
    assert!(first.try_request().await.is_none());
    assert!(!agent.status.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_that_did_answer_is_kept() {
    let mut agent = Agent::start();
    let (mut call, _) = agent.opened().await;
    call.ask(addresses("a1", vec![])).await;
    call.ask(policies("p1", vec![])).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    call.ask(addresses("a2", vec![pod("web", "1")])).await;
    assert_eq!(agent.dials.times.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_response_without_a_nonce_ends_the_stream() {
    let mut agent = Agent::start();
    let (mut call, _) = agent.opened().await;
    call.send(addresses("", vec![pod("web", "1")])).await;
    assert!(call.try_request().await.is_none());
    agent.opened().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_token_nobody_is_asked_and_with_one_it_goes_on() {
    let mut agent = Agent::start();
    let token = agent.files.path().join("token");
    std::fs::remove_file(&token).unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let problem = agent.status.report().problem.clone().unwrap_or_default();
    assert!(problem.contains(&token.display().to_string()), "{problem}");
    std::fs::write(&token, "renewed").unwrap();
    let call = agent.call().await;
    assert_eq!(call.headers.get("authorization").unwrap(), "Bearer renewed");
}
