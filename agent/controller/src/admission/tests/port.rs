//! The webhook over TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use weir_identity::ca::{AuthorityConfig, CaAuthority, DirStore};
use weir_serve::tls::{Tls, TlsConfig, service_names};

use super::*;

struct Stage {
    address: SocketAddr,
    client: TlsConnector,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
    _temp: TempDir,
}

impl Stage {
    async fn start(limits: Limits) -> Self {
        let temp = TempDir::new().unwrap();
        let store = Arc::new(DirStore::new(temp.path().join("ca")));
        let authority = CaAuthority::open_or_create(store, AuthorityConfig::default()).await.unwrap();
        let names = service_names("weir-controller", "weir-system", "cluster.local");
        let tls = Tls::new(authority.clone(), TlsConfig::webhook(names), Arc::new(SystemTime::now)).unwrap();
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(authority.roots_pem().as_bytes()) {
            roots.add(root.unwrap()).unwrap();
        }
        let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let admission = Admission { config: Config::default(), limits, metrics: AdmissionMetrics::default() };
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(serve(listener, tls.source(), admission, async { drop(stopped.await) }));
        Self { address, client: TlsConnector::from(Arc::new(client)), stop, server, _temp: temp }
    }

    async fn try_connect(&self) -> Option<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("weir-controller.weir-system.svc").unwrap();
        self.client.connect(name, stream).await.ok()
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        self.try_connect().await.expect("a handshake")
    }

    /// Sends bytes, and gives what comes back until the server closes.
    async fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // The server may answer, and close, before it has read all.
        let _ = stream.write_all(request.as_ref()).await;
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply).await;
        String::from_utf8_lossy(&reply).into_owned()
    }

    /// A good review has its answer.
    async fn works(&self) {
        let review = review("CREATE", object("AuthorizationPolicy", json!({"action": "deny"})));
        let reply = self.exchange(post("/validate", &review.to_string())).await;
        assert!(reply.starts_with("HTTP/1.1 200 OK") && reply.contains("is none of ALLOW, DENY"), "{reply}");
    }
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn it_answers_reviews() {
    let stage = Stage::start(Limits::default()).await;
    stage.works().await;
    // With the query that the API server appends.
    let reply = stage.exchange(post("/validate?timeout=5s", "{}")).await;
    assert!(reply.starts_with("HTTP/1.1 400"), "{reply}");
}

#[tokio::test]
async fn others_are_told_what_it_is() {
    let stage = Stage::start(Limits { bytes: 1000, values: 300, ..Limits::default() }).await;
    let chunked =
        "POST /validate HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    for (request, status) in [
        (post("/", "{}"), "404"),
        (post("/validate/", "{}"), "404"),
        ("GET /validate HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned(), "405"),
        (post("/validate", ""), "400"),
        (post("/validate", "no json"), "400"),
        (post("/validate", &"x".repeat(1001)), "413"),
        (format!("{chunked}{}", format!("3e8\r\n{}\r\n", "x".repeat(1000)).repeat(3)), "413"),
        (format!("{chunked}zz\r\n"), "400"),
        (post("/validate", &format!("[{}0]", "0,".repeat(300))), "413"),
        ("\0\u{1}\u{2}\r\n\r\n".to_owned(), "400"),
    ] {
        let reply = stage.exchange(&request).await;
        assert!(reply.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {reply}");
        stage.works().await;
    }
}

/// Neither bytes that are no TLS nor connections that say nothing keep others out.
#[tokio::test]
async fn strangers_cost_nobody_else() {
    let limits = Limits { handshake: Duration::from_millis(50), connections: 4, ..Limits::default() };
    let stage = Stage::start(limits).await;
    let mut strangers = Vec::new();
    for garbage in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff", &[0; 4096]] {
        let mut stranger = TcpStream::connect(stage.address).await.unwrap();
        stranger.write_all(garbage).await.unwrap();
        strangers.push(stranger);
    }
    stage.works().await;
    drop(strangers);
}

/// One address does not take all connections, and has its places back when it goes.
#[tokio::test]
async fn one_address_has_so_many() {
    let stage = Stage::start(Limits { per_address: 2, ..Limits::default() }).await;
    let held = [stage.connect().await, stage.connect().await];
    let mut refused = TcpStream::connect(stage.address).await.unwrap();
    assert_eq!(refused.read(&mut [0]).await.unwrap_or(0), 0, "closed without a word");
    for mut stream in held {
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
        drop(stream);
    }
    // The server has said goodbye; that it has also counted is a moment later.
    while stage.try_connect().await.is_none() {
        tokio::task::yield_now().await;
    }
}

/// A body that does not come is not waited for for ever.
#[tokio::test]
async fn a_slow_body_is_given_up() {
    let stage = Stage::start(Limits { body: Duration::from_millis(50), ..Limits::default() }).await;
    let mut stream = stage.connect().await;
    stream.write_all(b"POST /validate HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{").await.unwrap();
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply).await;
    assert!(reply.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&reply));
}

/// Told to stop, it answers what it has been asked, and ends though a connection stays open.
#[tokio::test]
async fn it_stops() {
    let stage = Stage::start(Limits { drain: Duration::from_millis(100), ..Limits::default() }).await;
    stage.works().await;
    let mut half = stage.connect().await;
    half.write_all(b"POST /validate HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{").await.unwrap();
    stage.stop.send(()).unwrap();
    stage.server.await.unwrap();
    assert!(TcpStream::connect(stage.address).await.is_err());
}
