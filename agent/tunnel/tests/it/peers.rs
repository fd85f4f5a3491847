//! Peers that are not ours: raw HTTP/2 over rustls, as another mesh's node would speak it, or would not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{Method, Request, Response, StatusCode, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use weir_identity::WorkloadCertificate;
use weir_model::Identity;
use weir_tunnel::{Config, HBONE_PORT};

use crate::app::{End, echo, end, open};
use crate::world::{World, workload};

fn certificate(world: &World, name: &str) -> Arc<WorkloadCertificate> {
    let id: Identity = format!("spiffe://cluster.local/ns/shop/sa/{name}").parse().unwrap();
    world.a.shared.certificates.current(&id).unwrap()
}

/// A client of the server's pod that is not a Weir.
pub(crate) async fn dial(world: &World) -> h2::client::SendRequest<Bytes> {
    let server = "spiffe://cluster.local/ns/shop/sa/server".parse().unwrap();
    let config = certificate(world, "client").client_config(&[server]);
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(world.client, 0)).unwrap();
    let socket = socket.connect(SocketAddr::new(world.server, HBONE_PORT)).await.unwrap();
    let tls =
        tokio_rustls::TlsConnector::from(config).connect(weir_identity::server_name(), socket).await.unwrap();
    let (requests, connection) = h2::client::handshake(tls).await.unwrap();
    tokio::spawn(connection);
    requests
}

pub(crate) fn connect(authority: &str) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = Method::CONNECT;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = http::Uri::try_from(authority).unwrap();
    request
}

#[tokio::test]
async fn every_status() {
    let world = World::plain().await;
    let (app, _) = world.service();
    let port = app.local_addr().unwrap().port();
    echo(app);
    let good = format!("{}:{port}", world.server);
    let get = Request::get("http://x/").body(()).unwrap();
    let cases = [
        (connect(&good), StatusCode::OK),
        (get, StatusCode::BAD_REQUEST),
        (connect("127.9.9.9:80"), StatusCode::BAD_REQUEST),
        (connect(&format!("{}:0", world.server)), StatusCode::BAD_REQUEST),
        (connect("bad_host-:80"), StatusCode::BAD_REQUEST),
        (connect("unknown.shop.svc:80"), StatusCode::SERVICE_UNAVAILABLE),
        (connect(&format!("{}:15008", world.server)), StatusCode::SERVICE_UNAVAILABLE),
        (connect(&format!("{}:15006", world.server)), StatusCode::SERVICE_UNAVAILABLE),
        (connect(&format!("{}:1", world.server)), StatusCode::SERVICE_UNAVAILABLE),
    ];
    let mut requests = dial(&world).await;
    for (request, status) in cases {
        let uri = request.uri().clone();
        requests = requests.ready().await.unwrap();
        let (answer, _send) = requests.send_request(request, false).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), status, "{uri}");
        if status == StatusCode::OK {
            let baggage = answer.headers()["baggage"].to_str().unwrap();
            assert!(baggage.contains("service.name=server"), "{baggage}");
        } else {
            assert!(answer.body().is_end_stream(), "{uri}: a refusal has no body");
        }
    }
}

#[tokio::test]
async fn a_foreign_clients_stream_and_its_reset() {
    let world = World::plain().await;
    let (app, _) = world.service();
    let port = app.local_addr().unwrap().port();
    echo(app);
    let authority = format!("{}:{port}", world.server);
    let mut requests = dial(&world).await.ready().await.unwrap();
    let (answer, mut send) = requests.send_request(connect(&authority), false).unwrap();
    send.send_data(Bytes::from_static(b"early"), false).unwrap();
    let mut body = answer.await.unwrap().into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "early");
    send.send_data(Bytes::new(), true).unwrap();
    while let Some(rest) = body.data().await {
        assert!(rest.unwrap().is_empty(), "FIN is END_STREAM");
    }
    world.b.line(&["Complete Inbound", "sent 5 recv 5 error -"]).await;

    let mut requests = requests.ready().await.unwrap();
    let (answer, mut send) = requests.send_request(connect(&authority), false).unwrap();
    let _body = answer.await.unwrap().into_body();
    // Even a CANCEL is no end.
    send.send_reset(Reason::CANCEL);
    world.b.line(&["Complete Inbound", "the stream failed"]).await;
}

/// Tells what the server's application does with the stream: the code that comes back.
#[tokio::test]
async fn an_applications_reset_has_a_code_that_is_no_clean_end() {
    let world = World::plain().await;
    let (app, _) = world.service();
    let port = app.local_addr().unwrap().port();
    crate::app::serve(app, |mut socket, _| async move {
        socket.read_exact(&mut [0]).await.unwrap();
        crate::app::reset(socket);
    });
    let mut requests = dial(&world).await.ready().await.unwrap();
    let authority = format!("{}:{port}", world.server);
    let (answer, mut send) = requests.send_request(connect(&authority), false).unwrap();
    send.send_data(Bytes::from_static(b"x"), false).unwrap();
    let mut body = answer.await.unwrap().into_body();
    let error = body.data().await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::CONNECT_ERROR));
}

/// A server's node that the test plays: its TLS is real, its HTTP/2 is up to `serve`.
async fn foreign<F>(
    tune: impl Fn(&mut Config),
    serve: impl Fn(h2::server::Connection<tokio_rustls::server::TlsStream<tokio::net::TcpStream>, Bytes>) -> F
    + Send
    + 'static,
) -> (World, SocketAddr)
where
    F: Future<Output = ()> + Send + 'static,
{
    static NEXT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(1);
    let host = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let process = (std::process::id() % 250) as u8;
    let ip = std::net::IpAddr::from([127, 249, process, host]);
    let world = World::new(tune, |_, workloads| {
        workloads.pop();
        workloads.push(workload("server", "node-c", ip));
    })
    .await;
    let acceptor = tokio_rustls::TlsAcceptor::from(certificate(&world, "server").server_config());
    let listener = TcpListener::bind((ip, HBONE_PORT)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let tls = acceptor.accept(socket).await.unwrap();
            let connection = h2::server::Builder::new().handshake(tls).await.unwrap();
            tokio::spawn(serve(connection));
        }
    });
    let vip = world.dial_as(8080);
    (world, vip)
}

#[tokio::test]
async fn early_data_is_there_before_the_answer() {
    let (_world, vip) = foreign(
        |_| {},
        |mut connection| async move {
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                assert_eq!(request.uri().authority().unwrap().port_u16(), Some(8080));
                let headers = request.headers().clone();
                tokio::spawn(async move {
                    let mut body = request.into_body();
                    let first = body.data().await.unwrap().unwrap();
                    let mut send = respond.send_response(Response::new(()), false).unwrap();
                    let baggage = headers["baggage"].to_str().unwrap().to_owned();
                    send.send_data(format!("{} {baggage}", first.len()).into(), true).unwrap();
                    while body.data().await.is_some() {}
                });
            }
        },
    )
    .await;
    let mut socket = open(vip).await;
    socket.write_all(b"before the answer").await.unwrap();
    let End::Fin(got) = end(&mut socket).await else { panic!("reset") };
    let got = String::from_utf8(got).unwrap();
    assert!(got.starts_with("17 k8s.cluster.name=Kubernetes,k8s.namespace.name=shop"), "{got}");
}

#[tokio::test]
async fn early_data_does_not_hide_a_refusal() {
    for status in [401, 403, 503, 200 + 4] {
        let (world, vip) = foreign(
            |_| {},
            move |mut connection| async move {
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    let status = StatusCode::from_u16(status).unwrap();
                    let answer = Response::builder().status(status).body(()).unwrap();
                    respond.send_response(answer, true).unwrap();
                }
            },
        )
        .await;
        let mut socket = open(vip).await;
        let _ = socket.write_all(&vec![1; 300_000]).await;
        assert_eq!(end(&mut socket).await, End::Rst);
        let status = format!("answered {status}");
        world.a.line(&["Complete Outbound", &status, "recv 0"]).await;
    }
}

#[tokio::test]
async fn a_peer_that_never_answers() {
    let (world, vip) = foreign(
        |c| c.response_timeout = Duration::from_millis(100),
        |mut connection| async move {
            let mut kept = Vec::new();
            while let Some(request) = connection.accept().await {
                kept.push(request);
            }
        },
    )
    .await;
    let mut socket = open(vip).await;
    assert_eq!(end(&mut socket).await, End::Rst);
    world.a.line(&["Complete Outbound", "error CONNECT", "did not answer CONNECT within 100ms"]).await;
}

#[tokio::test]
async fn any_reset_of_the_stream_is_a_reset_of_the_connection() {
    for reason in [Reason::NO_ERROR, Reason::CANCEL, Reason::INTERNAL_ERROR, Reason::CONNECT_ERROR] {
        let (_world, vip) = foreign(
            |_| {},
            move |mut connection| async move {
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    tokio::spawn(async move {
                        let mut body = request.into_body();
                        let mut send = respond.send_response(Response::new(()), false).unwrap();
                        send.send_data(Bytes::from_static(b"half"), false).unwrap();
                        body.data().await.unwrap().unwrap();
                        send.send_reset(reason);
                    });
                }
            },
        )
        .await;
        let mut socket = open(vip).await;
        socket.read_exact(&mut [0; 4]).await.unwrap();
        socket.write_all(b"x").await.unwrap();
        assert_eq!(end(&mut socket).await, End::Rst, "{reason:?}");
    }
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_gone() {
    let (world, vip) = foreign(
        |c| {
            c.ping_interval = Duration::from_millis(100);
            c.ping_timeout = Duration::from_millis(300);
        },
        |mut connection| async move {
            if let Some(Ok((_request, mut respond))) = connection.accept().await {
                let mut send = respond.send_response(Response::new(()), false).unwrap();
                send.send_data(Bytes::from_static(b"x"), false).unwrap();
                let flush = connection.accept();
                let _ = tokio::time::timeout(Duration::from_millis(50), flush).await;
                // Stops reading and writing, keeps the socket.
                std::future::pending::<()>().await;
            }
        },
    )
    .await;
    let mut socket = open(vip).await;
    assert_eq!(end(&mut socket).await, End::Rst);
    world.a.line(&["Complete Outbound", "the stream failed"]).await;
}
