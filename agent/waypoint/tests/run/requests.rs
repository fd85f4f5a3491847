//! What comes in goes on.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use weir_discovery::on_demand::Asker as _;
use weir_proto::{l7, type_url};

use crate::world::{World, answer, identity, run, uid, web};

#[tokio::test]
async fn a_request_goes_from_tunnel_to_tunnel() {
    run(async {
        let world = World::serving().await;
        let answer = world.get("/").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let who = format!("{} {}:8080", identity("waypoint"), world.server);
        assert!(answer.ends_with(&who), "the server's node sees the waypoint: {answer}");
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_outside_the_mesh_gets_plaintext() {
    run(async {
        let mut world = World::new(true).await;
        let app = TcpListener::bind((world.server, 0)).await.unwrap();
        let endpoint = l7::Endpoint { tunnel: false, ..world.endpoint(app.local_addr().unwrap().port()) };
        world.say(&[web()], &[], vec![endpoint]);
        tokio::task::spawn_local(async move {
            let (socket, _) = app.accept().await.unwrap();
            answer(socket, "plain".into()).await;
        });
        assert!(world.get("/").await.ends_with("\r\n\r\nplain"));
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_is_somebody_else_gets_nothing() {
    run(async {
        let mut world = World::new(true).await;
        for identity in [identity("client").to_string(), String::new()] {
            let endpoint = l7::Endpoint { identity, ..world.endpoint(8080) };
            world.say(&[web()], &[], vec![endpoint]);
            assert!(world.get("/").await.starts_with("HTTP/1.1 503 "));
        }
    })
    .await;
}

#[tokio::test]
async fn a_policy_holds_for_the_identity_that_was_proved() {
    run(async {
        let mut world = World::serving().await;
        let exact = l7::string_match::Kind::Exact("cluster.local/ns/shop/sa/client".into());
        let principals = vec![l7::StringMatch { kind: Some(exact), ..l7::StringMatch::default() }];
        let rule = l7::AuthorizationRule {
            from: vec![l7::Peer { principals, ..l7::Peer::default() }],
            ..l7::AuthorizationRule::default()
        };
        let policy = |action: l7::Action| l7::Authorization {
            namespace: "shop".into(),
            name: "p".into(),
            action: action.into(),
            rules: vec![rule.clone()],
            ..l7::Authorization::default()
        };
        let endpoint = world.endpoint(8080);
        for (action, status) in [(l7::Action::Deny, 403), (l7::Action::Allow, 200)] {
            world.say(&[web()], &[policy(action)], vec![endpoint.clone()]);
            let answer = world.get("/").await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_drain_ends_when_nothing_is_open() {
    run(async {
        let world = World::serving().await;
        world.get("/").await;
        let long = Duration::from_secs(60);
        tokio::time::timeout(long / 2, world.waypoint.drain(long)).await.expect("nothing to wait for");
        assert!(world.open(crate::world::VIP).await.is_err(), "nobody is let in any more");
    })
    .await;
}

#[tokio::test]
async fn a_drain_waits_for_a_request_under_way() {
    run(async {
        let mut world = World::new(true).await;
        let app = TcpListener::bind((world.server, 0)).await.unwrap();
        let endpoint = l7::Endpoint { tunnel: false, ..world.endpoint(app.local_addr().unwrap().port()) };
        world.say(&[web()], &[], vec![endpoint]);
        let (arrived, has_arrived) = oneshot::channel();
        let (answer_now, may_answer) = oneshot::channel::<()>();
        tokio::task::spawn_local(async move {
            let (socket, _) = app.accept().await.unwrap();
            arrived.send(()).unwrap();
            may_answer.await.unwrap();
            answer(socket, "late".into()).await;
        });
        let stop = async {
            has_arrived.await.unwrap();
            let long = Duration::from_secs(60);
            let drained = tokio::time::timeout(long / 2, world.waypoint.drain(long));
            // The drain has begun when the answer may come.
            let (drained, sent) = tokio::join!(drained, async { answer_now.send(()) });
            sent.unwrap();
            drained.expect("nothing is left");
        };
        let (got, ()) = tokio::join!(world.get("/"), stop);
        assert!(got.starts_with("HTTP/1.1 200 ") && got.ends_with("late"), "{got}");
    })
    .await;
}

#[tokio::test]
async fn a_client_is_told_by_its_labels() {
    run(async {
        let mut world = World::serving().await;
        assert!(world.get("/").await.starts_with("HTTP/1.1 200 "));
        let labels = |app: &str| l7::Labels { labels: [("app".to_owned(), app.to_owned())].into() };
        let source = l7::Source { labels: labels("cart").labels, ..l7::Source::default() };
        let direct = l7::DirectResponse { status: 418, ..l7::DirectResponse::default() };
        let rule = l7::Rule {
            matches: vec![l7::Match { source: Some(source), ..l7::Match::default() }],
            action: Some(l7::rule::Action::DirectResponse(direct)),
            ..l7::Rule::default()
        };
        let mut frontend = web();
        frontend.ports[0].http = vec![l7::RuleSet { rules: vec![rule], ..l7::RuleSet::default() }];
        let endpoint = world.endpoint(8080);
        world.say(&[frontend], &[], vec![endpoint]);
        let wanted = world.feed.settle();
        let of_labels = wanted.iter().find(|(url, _)| *url == type_url::LABELS).expect("they are asked for");
        assert!(of_labels.1.contains(&uid("client")), "{of_labels:?}");
        for (app, status) in [("cart", 418), ("web", 404)] {
            world.put(type_url::LABELS, &uid("client"), &labels(app));
            let answer = world.get("/").await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{app}: {answer}");
        }
        world.feed.remove(type_url::LABELS, &uid("client"));
        assert!(world.get("/").await.starts_with("HTTP/1.1 404 "), "it is known to have none");
    })
    .await;
}
