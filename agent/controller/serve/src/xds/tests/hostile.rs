//! What strangers and bad clients do, and that nobody else notices.

use std::time::Duration;

use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use weir_proto::discovery::DeltaDiscoveryRequest;

use super::client::*;
use super::mesh::{Mesh, pod};
use super::wire::{Server, small_mesh};
use crate::Limits;
use crate::xds::XdsConfig;

/// A good client gets what it asks for.
async fn is_served(server: &Server) {
    let mut wire = server.open(&[first(AUTHORIZATION)]).await.unwrap();
    assert_eq!(summary(&wire.next().await.unwrap()), ["shop/deny"]);
}

/// Reads until the other end closes, which it must.
pub(super) async fn is_closed(stream: &mut (impl AsyncReadExt + Unpin)) {
    let mut rest = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
    // Closed with or without a reset.
    drop(end.expect("the connection stays open"));
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(length)
    .collect()
}

#[rstest]
#[case::noise(noise(10_000))]
#[case::http(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec())]
#[case::a_record_that_promises_more([&[22, 3, 1, 0xff, 0xff][..], &noise(100)].concat())]
#[tokio::test]
async fn bytes_that_are_no_tls(#[case] bytes: Vec<u8>) {
    let mesh = small_mesh();
    let limits = Limits { handshake: Duration::from_millis(200), ..Limits::default() };
    let server = Server::start(&mesh.store, XdsConfig::default(), limits).await;
    let mut stranger = TcpStream::connect(server.address).await.unwrap();
    stranger.write_all(&bytes).await.unwrap();
    is_closed(&mut stranger).await;
    is_served(&server).await;
}

#[rstest]
#[case::noise(noise(10_000))]
#[case::a_preface_and_noise([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &noise(1000)].concat())]
#[tokio::test]
async fn bytes_that_are_no_http2(#[case] bytes: Vec<u8>) {
    let mesh = small_mesh();
    let server = Server::start(&mesh.store, XdsConfig::default(), Limits::default()).await;
    let mut stranger = server.tls().await.unwrap();
    stranger.write_all(&bytes).await.unwrap();
    is_closed(&mut stranger).await;
    is_served(&server).await;
}

#[tokio::test]
async fn silence_ends_and_does_not_take_the_places_of_others() {
    let mesh = small_mesh();
    let limits = Limits {
        handshake: Duration::from_millis(300),
        unproven: Duration::from_millis(600),
        unproven_per_address: 4,
        ..Limits::default()
    };
    let server = Server::start(&mesh.store, XdsConfig::default(), limits).await;
    // One that was let in stays, and has no place among those that were not.
    let mut good = server.open(&[first(AUTHORIZATION)]).await.unwrap();
    good.next().await.unwrap();
    let mut before_tls = Vec::new();
    for _ in 0..3 {
        before_tls.push(TcpStream::connect(server.address).await.unwrap());
    }
    let mut after_tls = server.tls().await.unwrap();
    let mut too_many = TcpStream::connect(server.address).await.unwrap();
    is_closed(&mut too_many).await;
    for mut silent in before_tls {
        is_closed(&mut silent).await;
    }
    is_closed(&mut after_tls).await;
    is_served(&server).await;
    good.requests.send(ask(AUTHORIZATION, &["shop/other"], &[])).await.unwrap();
    assert_eq!(summary(&good.next().await.unwrap()), ["-shop/other"]);
}

/// Requests without a proof: an answer to each, and not for long.
#[tokio::test]
async fn who_is_refused_again_and_again_is_cut() {
    let mesh = small_mesh();
    let limits = Limits { refusals: 3, unproven: Duration::from_secs(3600), ..Limits::default() };
    let server = Server::start(&mesh.store, XdsConfig::default(), limits).await;
    let mut stranger = server.tls().await.unwrap();
    stranger.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    for stream in (1..).step_by(2) {
        // POST, https, and a path that is a name in the static table: HEADERS with END_HEADERS and END_STREAM.
        let mut head = vec![0, 0, 3, 1, 5, 0, 0, 0, stream, 0x83, 0x87, 0x84];
        head.extend(b"\0\0\x08\x06\0\0\0\0\0pingpong");
        if stranger.write_all(&head).await.is_err() || stranger.read(&mut [0; 4096]).await.unwrap_or(0) == 0 {
            assert!(stream > 5, "cut after {stream}");
            return is_served(&server).await;
        }
        assert!(stream < 99, "still served");
    }
}

#[tokio::test]
async fn a_stream_without_a_request_ends() {
    let mesh = small_mesh();
    let config =
        XdsConfig { greeting_timeout: Duration::from_millis(50), greetings: 1, ..XdsConfig::default() };
    let server = Server::start(&mesh.store, config, Limits::default()).await;
    let mut silent = server.open(&[]).await.unwrap();
    // It waits for its turn behind the silent one.
    is_served(&server).await;
    assert_eq!(silent.next().await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[rstest]
#[case::a_long_name(ask(ADDRESS, &[&"x".repeat(100_000)], &[]), Code::InvalidArgument)]
#[case::a_long_type(ask(&"x".repeat(100_000), &[], &[]), Code::InvalidArgument)]
#[case::many_names(
    DeltaDiscoveryRequest { resource_names_subscribe: (0..200_000).map(|n| n.to_string()).collect(), ..first(ADDRESS) },
    Code::ResourceExhausted
)]
#[tokio::test]
async fn requests_that_ask_too_much(#[case] request: DeltaDiscoveryRequest, #[case] code: Code) {
    let mesh = small_mesh();
    let server = Server::start(&mesh.store, XdsConfig::default(), Limits::default()).await;
    let request = DeltaDiscoveryRequest { node: Some(node()), ..request };
    let mut wire = server.open(&[request]).await.unwrap();
    assert_eq!(wire.next().await.unwrap_err().code(), code);
    is_served(&server).await;
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_its_stream() {
    let mesh = small_mesh();
    let config = XdsConfig { max_request: 10_000, ..XdsConfig::default() };
    let server = Server::start(&mesh.store, config, Limits::default()).await;
    let names: Vec<String> = (0..10_000).map(|n| format!("name-{n}")).collect();
    let request = DeltaDiscoveryRequest { resource_names_subscribe: names, ..first(ADDRESS) };
    let mut wire = server.open(&[request]).await.unwrap();
    // Not in order: ztunnel comes back at once from a stream that ended so, with the same request.
    assert_eq!(wire.next().await.unwrap_err().code(), Code::OutOfRange);
    is_served(&server).await;
}

#[tokio::test]
async fn one_that_does_not_read_gets_the_newest_when_it_does() {
    let large = |version: u64| {
        let padding = "x".repeat(200_000);
        (0..20).map(move |n| pod(&format!("c//Pod/shop/{n}-{padding}"), "10.0.0.1", "b", &[], &[], version))
    };
    let mut mesh = Mesh::of(large(1));
    let server = Server::start(&mesh.store, XdsConfig::default(), Limits::default()).await;
    let mut slow = server.open(&[first(ADDRESS), first(AUTHORIZATION)]).await.unwrap();
    let mut other = server.open(&[first(AUTHORIZATION)]).await.unwrap();
    other.next().await.unwrap();
    for version in 2..50 {
        mesh.change(large(version));
    }
    mesh.change(std::iter::once(super::mesh::policy("shop/last", 1)));
    assert_eq!(summary(&other.next().await.unwrap()), ["shop/last"], "nobody waits for the slow one");
    let mut taken = 0;
    loop {
        let response = slow.next().await.unwrap();
        taken += response.resources.len();
        if response.resources.iter().any(|resource| resource.name == "shop/last") {
            break;
        }
    }
    // At most the round that was under way, and not 49 times everything.
    assert!(taken <= 2 * 20 + 1, "{taken} resources for 20");
}

#[tokio::test]
async fn one_that_never_reads_is_let_go() {
    let padding = "x".repeat(300_000);
    let mesh =
        Mesh::of((0..50).map(|n| pod(&format!("c//Pod/shop/{n}-{padding}"), "10.0.0.1", "b", &[], &[], 1)));
    let config = XdsConfig { stall: Duration::from_millis(200), ..XdsConfig::default() };
    let server = Server::start(&mesh.store, config, Limits::default()).await;
    let stuck = server.open(&[first(ADDRESS), first(AUTHORIZATION)]).await.unwrap();
    let gone = async {
        while !mesh.store.connections().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the stream is kept");
    drop(stuck);
}

#[tokio::test]
async fn one_that_does_not_take_its_first_response_keeps_nobody_waiting() {
    let mesh = small_mesh();
    let config =
        XdsConfig { first_responses: 1, first_timeout: Duration::from_millis(50), ..XdsConfig::default() };
    let server = Server::start(&mesh.store, config, Limits::default()).await;
    let _stuck = server.open(&[first(ADDRESS), first(AUTHORIZATION)]).await.unwrap();
    is_served(&server).await;
}

#[tokio::test]
async fn many_streams_that_come_and_go_leave_nothing() {
    let mesh = small_mesh();
    let server = Server::start(&mesh.store, XdsConfig::default(), Limits::default()).await;
    let channel = server.channel().await;
    for _ in 0..200 {
        drop(server_stream(&channel).await);
    }
    is_served(&server).await;
    let gone = async {
        while !mesh.store.connections().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("streams are left");
}

async fn server_stream(channel: &tonic::transport::Channel) -> super::wire::Wire {
    super::wire::open(channel.clone(), "Bearer good", &[first(ADDRESS)]).await.unwrap()
}
