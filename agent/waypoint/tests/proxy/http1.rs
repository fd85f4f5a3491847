//! HTTP/1 from end to end.

use tokio::io::AsyncWriteExt as _;
use weir_proto::l7::UpstreamProtocol;

use crate::world::{Setting, World, echo, http1_server, read_until, run};

/// A world whose service says what it was asked.
fn echoing() -> World {
    let world = World::plain();
    let address = world.servers.here("10.2.0.1:8080", http1_server(echo));
    world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
    world
}

#[test]
fn a_request_is_carried_and_said_of() {
    run(async {
        let world = echoing();
        let answer = world
            .raw("GET /a?b HTTP/1.1\r\nHost: reviews\r\nx-request-id: 7\r\nConnection: close, x-secret\r\nx-secret: 1\r\n\r\n")
            .await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(head.contains("connection: close"), "{answer}");
        let expected = "GET /a?b HTTP/1.1\nhost: reviews\nx-forwarded-for: 10.0.0.9\nx-forwarded-proto: http\n\
                        x-request-id: 7\n\n";
        assert_eq!(body, expected);
        let line = world.logged(1).await.remove(0);
        let (_, line) = line.split_once("] ").unwrap();
        assert!(line.starts_with("\"GET /a?b HTTP/1.1\" 200 - via_upstream - \"-\" "), "{line}");
        let end = "\"10.0.0.9\" \"-\" \"7\" \"reviews\" \"10.2.0.1:8080\" outbound|80||reviews - 10.1.0.1:80 10.0.0.9:4000 - default";
        assert!(line.ends_with(end), "{line}");
        let metrics = world.metrics();
        let line = metrics.lines().find(|l| l.starts_with("istio_requests_total{")).unwrap();
        assert!(
            line.contains("response_code=\"200\"") && line.contains("destination_workload=\"reviews-v1\""),
            "{line}"
        );
    });
}

#[test]
fn one_connection_serves_many_requests_both_sides() {
    run(async {
        let world = echoing();
        let mut client = world.connect().await;
        for n in 0..5 {
            let body = format!("{n}").repeat(n);
            let head =
                format!("POST /{n} HTTP/1.1\r\nhost: reviews\r\ncontent-length: {}\r\n\r\n", body.len());
            client.write_all((head + &body).as_bytes()).await.unwrap();
            let head = read_until(&mut client, "\r\n\r\n").await;
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            let end = format!("\n\n{body}");
            let answer = read_until(&mut client, &end).await;
            assert!(answer.starts_with(&format!("POST /{n} HTTP/1.1")), "{answer}");
        }
        assert_eq!(world.worker.connected(), 1, "connections to the server");
    });
}

#[test]
fn the_log_as_json() {
    run(async {
        let world = World::new(Setting { json: true, ..Setting::default() });
        let address = world.servers.here("10.2.0.1:8080", http1_server(echo));
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        world.raw("GET /a HTTP/1.1\r\nhost: b\r\nuser-agent: \"x\"\r\nconnection: close\r\n\r\n").await;
        let line = world.logged(1).await.remove(0);
        for part in [
            "\"method\":\"GET\",\"path\":\"/a\",\"protocol\":\"HTTP/1.1\",\"response_code\":200,",
            "\"response_flags\":\"-\",\"response_code_details\":\"via_upstream\",",
            "\"user_agent\":\"\\\"x\\\"\",",
            "\"upstream_host\":\"10.2.0.1:8080\",\"upstream_cluster\":\"outbound|80||reviews\",",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
    });
}
