//! Bodies flow as fast as the slower side takes them: what is between the two has a bound, whatever the versions are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use rstest::rstest;
use weir_proto::l7::{Protocol, UpstreamProtocol};

use crate::world::{AnyBody, Setting, World, echo, frontend, http1_server, http2_server, nothing, run};

/// As many bytes as are asked for, and how many were.
fn endless() -> (AnyBody, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let frames = futures_util::stream::repeat_with(move || {
        count.fetch_add(PIECE, Relaxed);
        Ok(Frame::data(Bytes::from_static(&[0; PIECE])))
    });
    (AnyBody::new(StreamBody::new(frames)), sent)
}

/// Until it stands still.
async fn at_rest(sent: &AtomicUsize) -> usize {
    let mut last = 0;
    while last != sent.load(Relaxed) || last == 0 {
        last = sent.load(Relaxed);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    last
}

fn world() -> World {
    World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() })
}

async fn send(world: &World, http2: bool, request: Request<AnyBody>) -> Response<hyper::body::Incoming> {
    match http2 {
        true => world.http2().await.send_request(request).await.unwrap(),
        false => world.http1().await.send_request(request).await.unwrap(),
    }
}

#[rstest]
fn an_upload_waits_for_its_server(
    #[values(false, true)] client2: bool,
    #[values(false, true)] server2: bool,
) {
    run(async {
        let world = world();
        let (heard, mut request) = tokio::sync::mpsc::unbounded_channel();
        let keep = move |request: Request<hyper::body::Incoming>| {
            let _ = heard.send(request);
            std::future::pending::<Response<AnyBody>>()
        };
        let (address, version) = match server2 {
            true => (world.servers.here("10.2.0.1:80", http2_server(keep)), UpstreamProtocol::UpstreamHttp2),
            false => (world.servers.here("10.2.0.1:80", http1_server(keep)), UpstreamProtocol::UpstreamHttp1),
        };
        world.servers.cluster("shop/reviews", version, &[address]);
        let (body, sent) = endless();
        let asked = Request::post("http://reviews/").header("host", "reviews").body(body).unwrap();
        let work = async {
            let mut request = request.recv().await.unwrap();
            let first = at_rest(&sent).await;
            assert!(first < BOUND, "{first} bytes for nobody");
            // It goes on with whoever reads.
            let mut read = 0;
            while read < 4 * BOUND {
                read += request.body_mut().frame().await.unwrap().unwrap().into_data().unwrap().len();
            }
            let then = at_rest(&sent).await;
            assert!(then - read < BOUND, "{} bytes for nobody", then - read);
        };
        tokio::select! {
            _ = send(&world, client2, asked) => panic!("nobody answers"),
            () = work => {}
        }
    });
}

#[rstest]
fn a_download_waits_for_its_client(
    #[values(false, true)] client2: bool,
    #[values(false, true)] server2: bool,
) {
    run(async {
        let world = world();
        let (body, sent) = endless();
        let body = Arc::new(std::sync::Mutex::new(Some(body)));
        let give = move |_| {
            let body = body.lock().unwrap().take().unwrap();
            async move { Response::new(body) }
        };
        let (address, version) = match server2 {
            true => (world.servers.here("10.2.0.1:80", http2_server(give)), UpstreamProtocol::UpstreamHttp2),
            false => (world.servers.here("10.2.0.1:80", http1_server(give)), UpstreamProtocol::UpstreamHttp1),
        };
        world.servers.cluster("shop/reviews", version, &[address]);
        let asked = Request::get("http://reviews/").header("host", "reviews").body(nothing()).unwrap();
        let mut response = send(&world, client2, asked).await;
        let first = at_rest(&sent).await;
        assert!(first < BOUND, "{first} bytes for nobody");
        let mut read = 0;
        while read < 4 * BOUND {
            read += response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap().len();
        }
        let then = at_rest(&sent).await;
        assert!(then - read < BOUND, "{} bytes for nobody", then - read);
    });
}

/// Trailers of requests and of responses, from each version to each; those that only a head may say stay behind.
#[rstest]
fn trailers(#[values(false, true)] client2: bool, #[values(false, true)] server2: bool) {
    run(async {
        let world = world();
        let say = |request| async {
            let said = echo(request).await.into_body().collect().await.unwrap().to_bytes();
            let end = trailers_of("x-end");
            let frames = [Ok(Frame::data(said)), Ok(Frame::trailers(end))];
            let body = AnyBody::new(StreamBody::new(futures_util::stream::iter(frames)));
            Response::builder().header("trailer", "x-end").body(body).unwrap()
        };
        let (address, version) = match server2 {
            true => (world.servers.here("10.2.0.1:80", http2_server(say)), UpstreamProtocol::UpstreamHttp2),
            false => (world.servers.here("10.2.0.1:80", http1_server(say)), UpstreamProtocol::UpstreamHttp1),
        };
        world.servers.cluster("shop/reviews", version, &[address]);
        let frames = [Ok(Frame::data(Bytes::from_static(b"abc"))), Ok(Frame::trailers(trailers_of("x-sum")))];
        let body = AnyBody::new(StreamBody::new(futures_util::stream::iter(frames)));
        // HTTP/1 says ahead what will come, and whether it takes any.
        let request = Request::post("http://reviews/").header("host", "reviews").header("trailer", "x-sum");
        let request = request.header("te", "trailers").body(body).unwrap();
        let response = send(&world, client2, request).await.into_body().collect().await.unwrap();
        let end = response.trailers().cloned().expect("trailers of the response");
        assert_eq!(end["x-end"], "1");
        assert!(!end.contains_key("content-length") && !end.contains_key("authorization"), "{end:?}");
        let said = String::from_utf8(response.to_bytes().into()).unwrap();
        assert!(said.ends_with("\n\nabc\ntrailer x-sum: 1"), "{said}");
    });
}

fn trailers_of(name: &'static str) -> HeaderMap {
    let one = "1".parse::<http::HeaderValue>().unwrap();
    let names = [name, "authorization", "content-length"];
    names.into_iter().map(|name| (name.parse::<http::HeaderName>().unwrap(), one.clone())).collect()
}

const PIECE: usize = 16 * 1024;
/// Windows and buffers of two connections, with room to spare.
const BOUND: usize = 3 * 1024 * 1024;
