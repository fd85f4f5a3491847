//! HTTP/2 as RFC 9113 has it, frame by frame over a real socket: what a client may not send, and with which error it ends.
//! The numbers of the cases are the RFC's sections. h2spec says the same of a running waypoint (`docs/protocols.md`).

use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use weir_proto::l7::{Protocol, UpstreamProtocol};

use crate::world::{Setting, World, echo, frontend, http1_server, run};

/// What comes first of an end of the stream, of the connection, or an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Seen {
    Reset(u32),
    Goaway(u32),
    Closed,
    Answer,
    Pong,
}

/// An error of the connection; it may also just be closed (RFC 9113 5.4.1).
const fn connection(code: u32) -> [Seen; 2] {
    [Seen::Goaway(code), Seen::Closed]
}

/// An error of the stream, which may be taken for one of the connection (5.4.2).
const fn stream(code: u32) -> [Seen; 2] {
    [Seen::Reset(code), Seen::Goaway(code)]
}

const NO: u32 = 0;
const PROTOCOL: u32 = 1;
const FLOW: u32 = 3;
const CLOSED: u32 = 5;
const SIZE: u32 = 6;
const COMPRESSION: u32 = 9;
const CALM: u32 = 11;

#[rstest]
#[case::s4_1_unknown_type([frame(0x16, 0xff, 0, b"12345678"), ping()].concat(), [Seen::Pong; 2])]
#[case::s4_1_unknown_flags(frame(6, 0xfe, 0, &[0; 8]), [Seen::Pong; 2])]
#[case::s4_2_data([open(1), frame(0, 0, 1, &[0; 16_385])].concat(), stream(SIZE))]
#[case::s4_2_headers(frame(1, 4, 1, &[0; 16_385]), connection(SIZE))]
#[case::s4_3_compression(frame(1, 4, 1, b"\x80"), connection(COMPRESSION))]
#[case::s4_3_index(frame(1, 5, 1, b"\xff\xff\x7f"), connection(COMPRESSION))]
#[case::s4_3_interleaved([frame(1, 0, 1, &head()), ping()].concat(), connection(PROTOCOL))]
#[case::s4_3_other_stream([frame(1, 0, 1, &head()), frame(9, 4, 3, b"")].concat(), connection(PROTOCOL))]
#[case::s5_1_idle_data(frame(0, 1, 1, b"x"), connection(PROTOCOL))]
#[case::s5_1_idle_reset(frame(3, 0, 1, &[0, 0, 0, 8]), connection(PROTOCOL))]
#[case::s5_1_idle_window(frame(8, 0, 1, &[0, 0, 0, 1]), connection(PROTOCOL))]
#[case::s5_1_idle_continuation(frame(9, 4, 1, &head()), connection(PROTOCOL))]
#[case::s5_1_half_closed_data([get(1), frame(0, 1, 1, b"x")].concat(), stream(CLOSED))]
#[case::s5_1_half_closed_headers([get(1), frame(1, 5, 1, &head())].concat(), stream(CLOSED))]
#[case::s5_1_closed_headers([open(1), frame(3, 0, 1, &[0, 0, 0, 8]), frame(1, 5, 1, &head())].concat(), stream(CLOSED))]
#[case::s5_1_1_even(frame(1, 5, 2, &head()), connection(PROTOCOL))]
#[case::s5_1_1_backwards([open(5), frame(1, 5, 3, &head())].concat(), connection(PROTOCOL))]
#[case::s5_3_itself(frame(2, 0, 1, &[0, 0, 0, 1, 16]), stream(PROTOCOL))]
#[case::s5_3_itself_in_headers(frame(1, 0x25, 1, &[&[0, 0, 0, 1, 16], &head()[..]].concat()), stream(PROTOCOL))]
#[case::s6_1_no_stream(frame(0, 1, 0, b"x"), connection(PROTOCOL))]
#[case::s6_1_padding([open(1), frame(0, 9, 1, &[9, 1, 2])].concat(), connection(PROTOCOL))]
#[case::s6_2_no_stream(frame(1, 5, 0, &head()), connection(PROTOCOL))]
#[case::s6_2_padding(frame(1, 0xd, 1, &[200, 1, 2]), connection(PROTOCOL))]
#[case::s6_3_no_stream(frame(2, 0, 0, &[0, 0, 0, 1, 16]), connection(PROTOCOL))]
#[case::s6_3_length([open(1), frame(2, 0, 1, &[0, 0, 0, 0])].concat(), stream(SIZE))]
#[case::s6_4_no_stream(frame(3, 0, 0, &[0, 0, 0, 8]), connection(PROTOCOL))]
#[case::s6_4_length([open(1), frame(3, 0, 1, &[0, 0, 8])].concat(), connection(SIZE))]
#[case::s6_5_ack_with_payload(frame(4, 1, 0, &[0; 6]), connection(SIZE))]
#[case::s6_5_stream(frame(4, 0, 1, b""), connection(PROTOCOL))]
#[case::s6_5_length(frame(4, 0, 0, &[0; 5]), connection(SIZE))]
#[case::s6_5_2_push(setting(2, 2), connection(PROTOCOL))]
#[case::s6_5_2_window(setting(4, 0x8000_0000), connection(FLOW))]
#[case::s6_5_2_small_frames(setting(5, 16_383), connection(PROTOCOL))]
#[case::s6_5_2_large_frames(setting(5, 16_777_216), connection(PROTOCOL))]
#[case::s6_5_2_unknown([setting(0xff, 1), ping()].concat(), [Seen::Pong; 2])]
#[case::s6_6_push([open(1), frame(5, 4, 1, &[&[0, 0, 0, 2], &head()[..]].concat())].concat(), connection(PROTOCOL))]
#[case::s6_7_stream(frame(6, 0, 1, &[0; 8]), connection(PROTOCOL))]
#[case::s6_7_length(frame(6, 0, 0, &[0; 7]), connection(SIZE))]
#[case::s6_8_stream(frame(7, 0, 1, &[0; 8]), connection(PROTOCOL))]
#[case::s6_9_nothing(frame(8, 0, 0, &[0; 4]), connection(PROTOCOL))]
#[case::s6_9_nothing_of_a_stream([open(1), frame(8, 0, 1, &[0; 4])].concat(), stream(PROTOCOL))]
#[case::s6_9_length(frame(8, 0, 0, &[0; 3]), connection(SIZE))]
#[case::s6_9_1_overflow([frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff])].concat(), connection(FLOW))]
#[case::s6_9_1_overflow_of_a_stream([open(1), frame(8, 0, 1, &[0x7f, 0xff, 0xff, 0xff])].concat(), stream(FLOW))]
#[case::s6_9_2_overflow_by_settings([open(1), frame(8, 0, 1, &[0x7f, 0, 0, 0]), setting(4, 0x7fff_ffff)].concat(), connection(FLOW))]
#[case::s6_10_no_stream(frame(9, 4, 0, &head()), connection(PROTOCOL))]
#[case::s6_10_nothing_to_continue([get(1), frame(9, 4, 1, b"")].concat(), connection(PROTOCOL))]
#[case::s6_10_continued([frame(1, 1, 1, &head()[..9]), frame(9, 0, 1, &head()[9..20]), frame(9, 4, 1, &head()[20..])].concat(), [Seen::Answer; 2])]
#[case::s8_1_trailers_without_end([open(1), frame(1, 4, 1, &fields(&[("x", "y")]))].concat(), stream(PROTOCOL))]
// The library drops them, where it could end the stream.
#[case::s8_1_pseudo_in_trailers([open(1), frame(1, 5, 1, &fields(&[(":path", "/")]))].concat(), [Seen::Answer; 2])]
#[case::s8_1_trailers([open(1), frame(1, 5, 1, &fields(&[("x", "y")]))].concat(), [Seen::Answer; 2])]
#[case::s8_3_no_method(of(&[(":scheme", "http"), (":path", "/"), (":authority", "a")]), stream(PROTOCOL))]
#[case::s8_3_no_scheme(of(&[(":method", "GET"), (":path", "/"), (":authority", "a")]), stream(PROTOCOL))]
#[case::s8_3_no_path(of(&[(":method", "GET"), (":scheme", "http"), (":authority", "a")]), stream(PROTOCOL))]
#[case::s8_3_empty_path(of(&[(":method", "GET"), (":scheme", "http"), (":path", ""), (":authority", "a")]), stream(PROTOCOL))]
#[case::s8_3_status(of(&[(":method", "GET"), (":status", "200"), (":scheme", "http"), (":path", "/")]), stream(PROTOCOL))]
#[case::s8_3_path_with_space(of(&[(":method", "GET"), (":scheme", "http"), (":path", "/a b"), (":authority", "a")]), stream(PROTOCOL))]
#[case::s8_3_path_with_lines(of(&[(":method", "GET"), (":scheme", "http"), (":path", "/ HTTP/1.1\r\nx: y"), (":authority", "a")]), stream(PROTOCOL))]
#[case::s8_3_method_with_lines(of(&[(":method", "GET / HTTP/1.1\r\nx: y"), (":scheme", "http"), (":path", "/"), (":authority", "a")]), stream(PROTOCOL))]
#[case::s8_3_authority_with_lines(of(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a\r\nx: y")]), stream(PROTOCOL))]
#[case::s8_2_1_name_with_lines(of(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a"), ("x\r\ny", "z")]), stream(PROTOCOL))]
#[case::s8_2_1_name_with_colon(of(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a"), ("x:", "z")]), stream(PROTOCOL))]
#[case::s8_2_1_name_with_space(of(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a"), ("transfer-encoding ", "z")]), stream(PROTOCOL))]
#[case::s8_5_connect_with_path(of(&[(":method", "CONNECT"), (":scheme", "http"), (":path", "/"), (":authority", "a:1")]), stream(PROTOCOL))]
#[case::s8_6_h2c_is_no_upgrade(of(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a"), ("http2-settings", "AA")]), [Seen::Answer; 2])]
fn errors(#[case] bytes: Vec<u8>, #[case] expected: [Seen; 2]) {
    run(async {
        let world = world();
        let mut client = world.connect().await;
        client.write_all(&[PREFACE, &bytes].concat()).await.unwrap();
        let seen = first(&mut client).await;
        // The library says PROTOCOL_ERROR of most connections that it ends, where the RFC has a finer word.
        let ended = matches!(expected[1], Seen::Closed | Seen::Goaway(_)) && seen == Seen::Goaway(PROTOCOL);
        assert!(ended || expected.contains(&seen), "{seen:?}, not {expected:?}");
    });
}

/// What is no preface at all, on a port that speaks nothing but HTTP/2.
#[rstest]
#[case::other("INVALID CONNECTION PREFACE\r\n\r\n")]
#[case::cut("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")]
#[case::tls("\x16\x03\x01\x00\x01")]
fn s3_4_preface(#[case] bytes: &str) {
    run(async {
        let world = world();
        let mut client = world.connect().await;
        client.write_all(bytes.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let seen = first(&mut client).await;
        assert!(matches!(seen, Seen::Goaway(PROTOCOL) | Seen::Closed), "{seen:?}");
    });
}

/// A client that only makes work is told to calm down, or no longer read; others go on, and what it sends is not kept.
#[rstest]
// CVE-2023-44487.
#[case::resets((0..20_000).flat_map(|n| [get(2 * n + 1), frame(3, 0, 2 * n + 1, &[0, 0, 0, 8])].concat()).collect())]
// CVE-2024-27316: a head without end.
#[case::continuations([frame(1, 1, 1, &head()), frame(9, 0, 1, &fields(&[("x", "y")])).repeat(200_000)].concat())]
#[case::large_continuations([frame(1, 1, 1, &head()), frame(9, 0, 1, &fields(&[("x", &"y".repeat(120))]).repeat(100)).repeat(400)].concat())]
#[case::empty_continuations([frame(1, 1, 1, &head()), frame(9, 0, 1, b"").repeat(200_000)].concat())]
// CVE-2019-9512 and 9515: each wants an answer that nobody reads.
#[case::pings(ping().repeat(300_000))]
#[case::settings(setting(3, 100).repeat(300_000))]
// CVE-2019-9518.
#[case::empty_data([open(1), frame(0, 0, 1, b"").repeat(300_000)].concat())]
// CVE-2019-9511: windows of one byte.
#[case::windows([open(1), frame(8, 0, 1, &[0, 0, 0, 1]).repeat(300_000)].concat())]
fn floods(#[case] bytes: Vec<u8>) {
    run(async {
        let world = world();
        let mut client = world.connect_here();
        let (mut from, mut to) = tokio::io::split(&mut client);
        to.write_all(PREFACE).await.unwrap();
        let mut taken = 0;
        // Nobody reads meanwhile: it ends, it stands still, or it was all taken in without being kept.
        for piece in bytes.chunks(16 * 1024) {
            let written =
                tokio::time::timeout(std::time::Duration::from_millis(500), to.write_all(piece)).await;
            if !matches!(written, Ok(Ok(()))) {
                break;
            }
            taken += piece.len();
        }
        let all = taken == bytes.len();
        let other = world.raw_http1().await;
        assert!(other.starts_with("HTTP/1.1 200 OK\r\n"), "{other}");
        if !all {
            // What it was told, if it was told anything.
            let seen = tokio::time::timeout(std::time::Duration::from_millis(500), first(&mut from)).await;
            assert!(
                matches!(
                    seen,
                    Err(_)
                        | Ok(Seen::Goaway(CALM | PROTOCOL | COMPRESSION)
                            | Seen::Closed
                            | Seen::Pong
                            | Seen::Answer)
                ),
                "{seen:?} after {taken} bytes"
            );
        }
        assert!(world.worker.connected() <= 64, "{} connections to the server", world.worker.connected());
    });
}

/// A client that opens no window holds up nobody but itself: others share the server's connection.
#[test]
fn windows_of_nothing() {
    run(async {
        let world = World::new(Setting { form: frontend(Protocol::Http2, Vec::new()), ..Setting::default() });
        let large = crate::world::http2_server(|_| async {
            http::Response::new(crate::world::text(&"a".repeat(1024 * 1024)))
        });
        let address = world.servers.here("10.2.0.1:80", large);
        world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp2, &[address]);
        let mut stalled = world.connect().await;
        let asked: Vec<u8> = (0..50).flat_map(|n| get(2 * n + 1)).collect();
        stalled.write_all(&[PREFACE, &setting(4, 0), &asked].concat()).await.unwrap();
        for _ in 0..50 {
            assert_eq!(first(&mut stalled).await, Seen::Answer);
        }
        let request = http::Request::get("http://a/").body(crate::world::nothing()).unwrap();
        let response = world.http2().await.send_request(request).await.unwrap();
        assert_eq!(crate::world::body_of(response).await.len(), 1024 * 1024);
        assert_eq!(world.worker.connected(), 1);
    });
}

/// The graceful end: a client that says GOAWAY has its requests answered.
#[test]
fn s6_8_goaway_of_the_client() {
    run(async {
        let world = world();
        let mut client = world.connect().await;
        client.write_all(&[PREFACE, &get(1), &frame(7, 0, 0, &[0; 8])].concat()).await.unwrap();
        assert_eq!(first(&mut client).await, Seen::Answer);
        assert!(matches!(first(&mut client).await, Seen::Goaway(NO) | Seen::Closed));
    });
}

fn world() -> World {
    let world = World::new(Setting { form: frontend(Protocol::Http2, Vec::new()), ..Setting::default() });
    let address = world.servers.here("10.2.0.1:80", http1_server(echo));
    world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp1, &[address]);
    world
}

impl World {
    async fn raw_http1(&self) -> String {
        self.raw("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await
    }
}

async fn first(client: &mut (impl tokio::io::AsyncRead + Unpin)) -> Seen {
    loop {
        let mut head = [0; 9];
        if client.read_exact(&mut head).await.is_err() {
            return Seen::Closed;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        if client.read_exact(&mut payload).await.is_err() {
            return Seen::Closed;
        }
        let code = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        match (head[3], head[4] & 1) {
            (3, _) => return Seen::Reset(code(0)),
            (7, _) => return Seen::Goaway(code(4)),
            (1, _) => return Seen::Answer,
            (6, 1) => return Seen::Pong,
            _ => {}
        }
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Fields as HPACK literals that nobody is to remember.
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

fn head() -> Vec<u8> {
    fields(&[(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "reviews")])
}

/// A request whose body is to come.
fn open(stream: u32) -> Vec<u8> {
    frame(1, 4, stream, &head())
}

/// A request without a body.
fn get(stream: u32) -> Vec<u8> {
    frame(1, 5, stream, &head())
}

fn of(list: &[(&str, &str)]) -> Vec<u8> {
    frame(1, 5, 1, &fields(list))
}

fn ping() -> Vec<u8> {
    frame(6, 0, 0, &[7; 8])
}

fn setting(name: u16, value: u32) -> Vec<u8> {
    frame(4, 0, 0, &[&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
}
