//! Who is not let in.

use std::time::Duration;

use http::StatusCode;
use rstest::rstest;
use weir_tunnel::TunnelError;

use crate::world::{VIP, World, run, web};

/// The status of a refusal.
fn refused(answer: Result<weir_tunnel::gateway::TunnelStream, TunnelError>) -> StatusCode {
    match answer.err() {
        Some(TunnelError::Refused { status, .. }) => status,
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::address_of_nobody("10.96.0.77:80")]
#[case::a_service_that_is_not_bound("10.96.0.10:80")]
#[case::a_port_that_it_does_not_have("10.96.0.9:81")]
#[case::a_pod("127.0.0.1:8080")]
#[tokio::test]
async fn what_is_not_served_here_is_refused(#[case] to: &str) {
    run(async {
        let world = World::serving().await;
        assert_eq!(refused(world.open(to).await), StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_known_yet_is_refused_and_then_served() {
    run(async {
        let mut world = World::new(true).await;
        assert_eq!(refused(world.open(VIP).await), StatusCode::SERVICE_UNAVAILABLE);
        let endpoint = world.endpoint(8080);
        world.say(&[web()], &[], vec![endpoint]);
        assert!(world.open(VIP).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn another_trust_domain_is_refused() {
    run(async {
        let world = World::serving().await;
        assert!(world.open_as_stranger().await.is_err());
        // Counted on a thread of the waypoint.
        let counted = async {
            loop {
                if let [line] = &*world.metric("istio_tcp_connections_failed_total") {
                    break line.clone();
                }
                tokio::task::yield_now().await;
            }
        };
        let line =
            tokio::time::timeout(Duration::from_secs(10), counted).await.expect("a failure in the metrics");
        for label in [r#"reporter="waypoint""#, r#"destination_workload="waypoint""#] {
            assert!(line.contains(label), "{line}");
        }
        assert!(world.open(VIP).await.is_ok(), "and the others come in");
    })
    .await;
}

#[tokio::test]
async fn without_a_certificate_nothing_is_served() {
    run(async {
        let mut world = World::new(false).await;
        let endpoint = world.endpoint(8080);
        world.say(&[web()], &[], vec![endpoint]);
        assert!(world.open(VIP).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_service_that_leaves_lets_nobody_further() {
    run(async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut world = World::serving().await;
        let mut stream = world.open(VIP).await.unwrap();
        let mut ask = async || {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: web\r\n\r\n").await.unwrap();
            let mut status = [0; 12];
            stream.read_exact(&mut status).await.unwrap();
            let mut rest = [0; 4096];
            let _ = stream.read(&mut rest).await.unwrap();
            String::from_utf8(status.to_vec()).unwrap()
        };
        assert_eq!(ask().await, "HTTP/1.1 200");
        world.say(&[], &[], Vec::new());
        assert_eq!(ask().await, "HTTP/1.1 403", "on the connection that is open");
        assert_eq!(refused(world.open(VIP).await), StatusCode::NOT_FOUND);
    })
    .await;
}
