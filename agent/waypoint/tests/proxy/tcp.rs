//! Connections that are only copied: what is detected, where it goes, and how it ends.

use std::time::Duration;

use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep};
use weir_proto::l7::{self, Protocol, UpstreamProtocol};

use crate::world::{
    PORT, Setting, World, echo, frontend, http1_server, raw_server, read_all, read_until, run, run_paused,
    weighted,
};

fn of_protocol(protocol: Protocol) -> World {
    World::new(Setting { form: frontend(protocol, Vec::new()), ..Setting::default() })
}

/// Says what it heard before the end, in brackets.
fn parrot(mut stream: DuplexStream) {
    spawn_local(async move {
        let heard = read_all(&mut stream).await;
        let _ = stream.write_all(format!("[{heard}]").as_bytes()).await;
    });
}

/// Greets at once, then says what it hears.
fn greeter(mut stream: DuplexStream) {
    spawn_local(async move {
        stream.write_all(b"220 welcome\r\n").await.unwrap();
        let heard = read_all(&mut stream).await;
        let _ = stream.write_all(format!("[{heard}]").as_bytes()).await;
    });
}

#[rstest]
#[case::silent_server(false)]
#[case::server_first(true)]
fn bytes_are_copied(
    #[values(Protocol::Tcp, Protocol::Detect)] protocol: Protocol,
    #[values("", "x", "PING\r\n", "GET", "GET /", "PRI * HTTP/2.0\r\n")] sent: &str,
    #[case] server_first: bool,
) {
    run_paused(async {
        let world = of_protocol(protocol);
        let address = match server_first {
            true => world.servers.here("10.2.0.1:25", greeter),
            false => world.servers.here("10.2.0.1:25", parrot),
        };
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let start = Instant::now();
        let mut client = world.connect_here();
        client.write_all(sent.as_bytes()).await.unwrap();
        if server_first {
            assert_eq!(read_until(&mut client, "\n").await, "220 welcome\r\n");
            assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
        }
        client.write_all(b"more").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(read_all(&mut client).await, format!("[{sent}more]"));
        let line = world.logged(1).await.remove(0);
        assert!(line.contains("\"- - -\" 0 - - "), "{line}");
    });
}

#[test]
fn metrics_of_a_connection() {
    run_paused(async {
        let world = of_protocol(Protocol::Tcp);
        let address = world.servers.here("10.2.0.1:25", parrot);
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let mut client = world.connect_here();
        client.write_all(b"abc").await.unwrap();
        sleep(Duration::from_secs(1)).await;
        let value = |name: &str| {
            let text = world.metrics();
            let line =
                text.lines().find(|l| l.starts_with(name) && l.contains("response_flags=\"-\"")).unwrap();
            line.rsplit_once(' ').unwrap().1.to_owned()
        };
        // While it is open, too.
        assert_eq!(value("istio_tcp_connections_opened_total{"), "1");
        assert_eq!(value("istio_tcp_received_bytes_total{"), "3");
        client.shutdown().await.unwrap();
        assert_eq!(read_all(&mut client).await, "[abc]");
        world.logged(1).await;
        assert_eq!(value("istio_tcp_sent_bytes_total{"), "5");
        assert_eq!(value("istio_tcp_connections_closed_total{"), "1");
        assert!(!world.metrics().contains("istio_requests_total{"));
    });
}

/// A client that thinks before it speaks is still understood, as long as the server says nothing.
#[rstest]
#[case(
    "GET /a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    "HTTP/1.1 200 OK",
    "\"GET /a HTTP/1.1\" 200 "
)]
#[case("HELO\r\n", "HTTP/1.1 400", "\"- - -\" 0 ")]
fn a_late_client(#[case] sent: &str, #[case] answer: &str, #[case] said: &str) {
    run_paused(async {
        let world = of_protocol(Protocol::Detect);
        let address = world.servers.here("10.2.0.1:80", http1_server(echo));
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let mut client = world.connect_here();
        sleep(Duration::from_secs(100)).await;
        client.write_all(sent.as_bytes()).await.unwrap();
        let text = read_all(&mut client).await;
        assert!(text.starts_with(answer), "{text}");
        drop(client);
        let lines = world.logged(1).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(said), "{lines:?}");
    });
}

fn policy(path: &str) -> l7::Authorization {
    let path = l7::StringMatch { kind: Some(l7::string_match::Kind::Exact(path.into())), ignore_case: false };
    let paths = vec![l7::AuthorizationPath { kind: Some(l7::authorization_path::Kind::Text(path)) }];
    l7::Authorization {
        namespace: "shop".into(),
        name: "only".into(),
        action: l7::Action::Allow.into(),
        rules: vec![l7::AuthorizationRule {
            to: vec![l7::Operation { paths, ..Default::default() }],
            ..Default::default()
        }],
        dry_run: false,
    }
}

/// A policy about paths lets no connection pass whose paths nobody sees, and does not keep late HTTP out.
#[rstest]
#[case::tcp(Protocol::Tcp, "hello", "")]
#[case::detected(Protocol::Detect, "hello", "")]
#[case::http(Protocol::Detect, "GET /in HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "HTTP/1.1 200 OK")]
#[case::other_path(
    Protocol::Detect,
    "GET /out HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    "HTTP/1.1 403 "
)]
fn policies(
    #[case] protocol: Protocol,
    #[case] sent: &str,
    #[case] answer: &str,
    #[values(0, 60)] after: u64,
) {
    run_paused(async {
        let mut form = frontend(protocol, Vec::new());
        form.authorizations.push(policy("/in"));
        let world = World::new(Setting { form, ..Setting::default() });
        let address = world.servers.here("10.2.0.1:80", http1_server(echo));
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let mut client = world.connect_here();
        sleep(Duration::from_secs(after)).await;
        // Who is refused at once cannot even send.
        let _ = client.write_all(sent.as_bytes()).await;
        let text = read_all(&mut client).await;
        assert!(text.starts_with(answer) && text.is_empty() == answer.is_empty(), "{text}");
    });
}

#[test]
fn a_connection_without_a_word_ends() {
    run_paused(async {
        let world = of_protocol(Protocol::Tcp);
        let address = world.servers.here("10.2.0.1:25", parrot);
        let idle_timeout = Some(prost_types::Duration { seconds: 90, nanos: 0 });
        let pool = l7::ConnectionPool { idle_timeout, ..Default::default() };
        let form = l7::Cluster { connection_pool: Some(pool), ..Default::default() };
        world.servers.cluster_of("shop/reviews", form, &[address]);
        let mut client = world.connect_here();
        let start = Instant::now();
        sleep(Duration::from_secs(60)).await;
        client.write_all(b"a").await.unwrap();
        read_all(&mut client).await;
        assert_eq!(start.elapsed().as_secs(), 150);
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(" 0 SI idle_timeout "), "{line}");
    });
}

/// A ClientHello with a server name.
fn hello(name: &str) -> Vec<u8> {
    let length = |bytes: &[u8]| (bytes.len() as u16).to_be_bytes();
    let named = [&[0][..], &length(name.as_bytes()), name.as_bytes()].concat();
    let list = [&length(&named)[..], &named].concat();
    let extension = [&[0, 0][..], &length(&list), &list].concat();
    let start = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0]].concat();
    let body = [&start[..], &length(&extension), &extension].concat();
    let message = [&[1, 0][..], &length(&body), &body].concat();
    [&[22, 3, 1][..], &length(&message), &message].concat()
}

#[rstest]
#[case::by_name("a.example", "a")]
#[case::by_suffix("x.b.example", "b")]
#[case::nobody("c.example", "")]
fn tls(
    #[values(Protocol::Tls, Protocol::Detect)] protocol: Protocol,
    #[case] name: &str,
    #[case] goes_to: &str,
) {
    run_paused(async {
        let route = |host: &str, backend: &str| l7::ConnectionRoute {
            name: format!("tls-{backend}"),
            matches: vec![l7::ConnectionMatch { sni_hosts: vec![host.into()], ..Default::default() }],
            backends: vec![weighted(backend)],
        };
        let mut form = frontend(protocol, Vec::new());
        form.ports[0].tls = vec![route("a.example", "a"), route("*.b.example", "b")];
        let world = World::new(Setting { form, ..Setting::default() });
        for (n, backend) in ["a", "b"].into_iter().enumerate() {
            let serve = move |mut stream: DuplexStream| {
                spawn_local(async move {
                    let mut heard = Vec::new();
                    let _ = stream.read_to_end(&mut heard).await;
                    let _ = stream.write_all(format!("{backend} {}", heard.len()).as_bytes()).await;
                });
            };
            let address = world.servers.here(&format!("10.2.0.{n}:443"), serve);
            world.servers.cluster(&format!("shop/{backend}"), UpstreamProtocol::Same, &[address]);
        }
        let bytes = hello(name);
        let mut client = world.connect_here();
        for piece in bytes.chunks(7) {
            client.write_all(piece).await.unwrap();
            sleep(Duration::from_millis(1)).await;
        }
        client.write_all(b"more").await.unwrap_or_default();
        client.shutdown().await.unwrap();
        let text = read_all(&mut client).await;
        let line = world.logged(1).await.remove(0);
        if goes_to.is_empty() {
            assert_eq!(text, "");
            assert!(line.contains(" 0 NR filter_chain_not_found "), "{line}");
        } else {
            assert_eq!(text, format!("{goes_to} {}", bytes.len() + 4));
            assert!(line.ends_with(&format!(" {name} tls-{goes_to}")), "{line}");
        }
    });
}

async fn abort(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
}

/// What breaks on one side breaks on the other: nobody takes what came for all that there is.
#[test]
fn a_server_that_aborts() {
    run(async {
        let world = of_protocol(Protocol::Tcp);
        let server = raw_server(|mut stream| async move {
            stream.write_all(b"half of").await.unwrap();
            read_until(&mut stream, "x").await;
            abort(stream).await;
        });
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[server.await]);
        let mut client = world.connect().await;
        assert_eq!(read_until(&mut client, "of").await, "half of");
        client.write_all(b"x").await.unwrap();
        assert_eq!(read_all(&mut client).await, "<reset>");
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(" 0 UC upstream_reset "), "{line}");
    });
}

#[test]
fn a_client_that_aborts() {
    run(async {
        let world = of_protocol(Protocol::Tcp);
        let (told, heard) = tokio::sync::oneshot::channel();
        let told = std::cell::RefCell::new(Some(told));
        let server = raw_server(move |mut stream| {
            let told = told.borrow_mut().take().unwrap();
            async move {
                stream.write_all(b"go").await.unwrap();
                let _ = told.send(read_all(&mut stream).await);
            }
        });
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[server.await]);
        let mut client = world.connect().await;
        client.write_all(b"abc").await.unwrap();
        read_until(&mut client, "go").await;
        abort(client).await;
        assert!(heard.await.unwrap().ends_with("<reset>"));
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(" 0 DC downstream_reset "), "{line}");
    });
}

/// A response of HTTP/1 that is cut off does not end like one that is whole.
#[rstest]
#[case("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")]
#[case("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")]
fn a_response_that_is_cut_off(#[case] response: &'static str) {
    run(async {
        let world = of_protocol(Protocol::Http);
        let server = raw_server(move |mut stream| async move {
            read_until(&mut stream, "\r\n\r\n").await;
            stream.write_all(response.as_bytes()).await.unwrap();
        });
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[server.await]);
        // To a client of HTTP/1.0 the end of the connection is the end of the body.
        let text = world.raw("GET / HTTP/1.0\r\nhost: a\r\n\r\n").await;
        assert!(text.ends_with("<reset>"), "{text}");
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(" 200 UC "), "{line}");
    });
}

#[test]
fn nobody_there() {
    run(async {
        let world = of_protocol(Protocol::Tcp);
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &["127.0.0.1:1".parse().unwrap()]);
        let mut client = world.connect().await;
        assert_eq!(read_all(&mut client).await, "<reset>");
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(" 0 UF ") && line.contains("Connection refused"), "{line}");
        let mut arrival = world.arrival();
        arrival.port = PORT + 1;
        let (mut client, stream) = tokio::io::duplex(100);
        world.worker.serve(arrival, Box::new(stream)).await;
        assert_eq!(read_all(&mut client).await, "");
    });
}
