//! Ends that the agent decides: drain, un-enrolment, and a peer's node that goes away.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::app::{End, echo, end, talking};
use crate::world::World;

#[tokio::test]
async fn a_drained_server_keeps_what_is_open_and_takes_no_more() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    echo(app);
    let mut socket = talking(vip).await;
    let drained = world.b.workers.drain(Duration::from_secs(10));
    let work = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        // The tunnel said GOAWAY and nobody accepts another.
        crate::refusals::refused(vip).await;
        socket.write_all(b"still").await.unwrap();
        socket.shutdown().await.unwrap();
        assert_eq!(end(&mut socket).await, End::Fin(b"still".into()));
        std::time::Instant::now()
    };
    let ((), ended) = tokio::join!(drained, work);
    assert!(ended.elapsed() < Duration::from_secs(5), "the drain ended with the last stream");
}

#[tokio::test]
async fn the_deadline_of_a_drain_resets() {
    for drain_client in [true, false] {
        let world = World::plain().await;
        let (app, vip) = world.service();
        echo(app);
        let mut socket = talking(vip).await;
        let node = if drain_client { &world.a } else { &world.b };
        node.workers.drain(Duration::from_millis(50)).await;
        assert_eq!(end(&mut socket).await, End::Rst, "client drained: {drain_client}");
    }
}

#[tokio::test]
async fn a_pod_that_leaves_resets_its_connections() {
    for leave_client in [true, false] {
        let world = World::plain().await;
        let (app, vip) = world.service();
        let (tell, mut ended) = tokio::sync::mpsc::unbounded_channel();
        crate::app::serve(app, move |mut socket, _| {
            let tell = tell.clone();
            async move {
                let mut one = [0];
                socket.read_exact(&mut one).await.unwrap();
                socket.write_all(&one).await.unwrap();
                tell.send(end(&mut socket).await).unwrap();
            }
        });
        let mut socket = talking(vip).await;
        let node = if leave_client { &world.a } else { &world.b };
        node.pod.abort();
        tokio::time::timeout(Duration::from_secs(5), node.pod.closed()).await.unwrap();
        assert_eq!(end(&mut socket).await, End::Rst);
        assert_eq!(ended.recv().await.unwrap(), End::Rst);
        node.line(&["Complete", "closed by the agent"]).await;
    }
}

#[tokio::test]
async fn a_node_that_dies_is_a_reset() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    echo(app);
    let mut socket = talking(vip).await;
    // The threads end, the sockets close without a word.
    let World { a, b, .. } = world;
    drop(b);
    assert_eq!(end(&mut socket).await, End::Rst);
    drop(a);
}
