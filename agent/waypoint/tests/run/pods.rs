//! Pods that are called by their own addresses.

use http::StatusCode;
use weir_proto::l7;
use weir_tunnel::TunnelError;

use crate::world::{World, identity, run};

/// Nobody may.
fn closed() -> l7::Authorization {
    l7::Authorization { namespace: "shop".into(), name: "none".into(), ..l7::Authorization::default() }
}

#[tokio::test]
async fn a_pod_is_served_if_its_address_goes_through_here() {
    run(async {
        let mut world = World::new(true).await;
        world.say(&[], &[], Vec::new());
        let at = format!("{}:8080", world.server);
        let refused = world.open(&at).await.err();
        assert!(
            matches!(refused, Some(TunnelError::Refused { status: StatusCode::NOT_FOUND, .. })),
            "{refused:?}"
        );
        world.bind_server();
        let who = format!("{} {at}", identity("waypoint"));
        for _ in 0..2 {
            let answer = world.get_from(&at, "/").await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(&who), "{answer}");
        }
        let other = format!("{}:9090", world.server);
        assert!(world.get_from(&other, "/").await.ends_with(&other), "at any port");
    })
    .await;
}

#[tokio::test]
async fn the_waypoints_policies_hold_for_it() {
    run(async {
        let mut world = World::new(true).await;
        world.say(&[], &[], Vec::new());
        world.bind_server();
        let at = format!("{}:8080", world.server);
        assert!(world.get_from(&at, "/").await.starts_with("HTTP/1.1 200 "));
        world.say(&[], &[closed()], Vec::new());
        assert!(world.get_from(&at, "/").await.starts_with("HTTP/1.1 403 "));
        world.say(&[], &[], Vec::new());
        assert!(world.get_from(&at, "/").await.starts_with("HTTP/1.1 200 "));
    })
    .await;
}
