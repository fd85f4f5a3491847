//! Who is let through: the certificates in testdata are of a root made for these tests, valid for a hundred years.

use std::net::SocketAddr;

use rstest::rstest;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

const ROOT: &str = include_str!("testdata/root.pem");
const OTHER_ROOT: &str = include_str!("testdata/other-root.pem");
const CERTIFICATE: &str = include_str!("testdata/cert.pem");
const KEY: &str = include_str!("testdata/key.pem");

/// A server that proves to be `control.test` and holds what it accepts.
async fn serve(alpn: &[u8]) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth();
    let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let mut config = config.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![alpn.to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((tcp, _)) = listener.accept().await {
            held.push(acceptor.accept(tcp).await);
        }
    });
    address
}

struct Files(tempfile::TempDir);

impl Files {
    fn new(roots: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("roots"), roots).unwrap();
        Self(dir)
    }

    fn channel(&self, address: &str, host: &str) -> ControlChannel {
        let config = ChannelConfig {
            address: address.to_owned(),
            host: Some(host.to_owned()),
            root_cert_file: self.0.path().join("roots"),
            token_file: self.0.path().join("token"),
            headers: Vec::new(),
        };
        ControlChannel::new(config).unwrap()
    }
}

#[rstest]
#[case::right(ROOT, "control.test", b"h2", None)]
#[case::of_several_roots(&format!("{OTHER_ROOT}{ROOT}"), "control.test", b"h2", None)]
#[case::other_root(OTHER_ROOT, "control.test", b"h2", Some("TLS with the control plane"))]
#[case::other_name(
    ROOT,
    "istiod.istio-system.svc",
    b"h2",
    Some("it must prove to be istiod.istio-system.svc")
)]
#[case::address_that_is_not_in_it(ROOT, "127.0.0.1", b"h2", Some("it must prove to be 127.0.0.1"))]
#[case::no_http2(ROOT, "control.test", b"http/1.1", Some("TLS with the control plane"))]
#[case::no_roots("", "control.test", b"h2", Some("there is no certificate in it"))]
#[case::broken_roots("-----BEGIN CERTIFICATE-----\nx", "control.test", b"h2", Some("cannot be used"))]
#[tokio::test]
async fn the_control_plane_must_prove_who_it_is(
    #[case] roots: &str,
    #[case] host: &str,
    #[case] alpn: &[u8],
    #[case] refused: Option<&str>,
) {
    let (files, server) = (Files::new(roots), serve(alpn).await);
    let outcome = files.channel(&format!("https://{server}"), host).connect().await.map(drop);
    match (outcome, refused) {
        (Ok(()), None) => {}
        (Err(error), Some(text)) => assert!(error.to_string().contains(text), "{error}"),
        (outcome, refused) => panic!("{outcome:?} {refused:?}"),
    }
}

#[tokio::test]
async fn roots_are_read_for_each_connection() {
    let (files, server) = (Files::new(OTHER_ROOT), serve(b"h2").await);
    let channel = files.channel(&format!("https://{server}"), "control.test");
    assert!(matches!(channel.connect().await, Err(ChannelError::Tls { .. })));
    std::fs::remove_file(files.0.path().join("roots")).unwrap();
    assert!(matches!(channel.connect().await, Err(ChannelError::Roots { .. })));
    std::fs::write(files.0.path().join("roots"), ROOT).unwrap();
    channel.connect().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_accepts_and_is_silent_costs_ten_seconds() {
    let (files, listener) = (Files::new(ROOT), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let channel = files.channel(&format!("https://{}", listener.local_addr().unwrap()), "control.test");
    let error = channel.connect().await.unwrap_err();
    assert!(matches!(error, ChannelError::Timeout { stage: "TLS handshake", .. }), "{error}");
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let files = Files::new(ROOT);
    let error = files.channel(&format!("https://{address}"), "control.test").connect().await.unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("cannot reach the control plane https://{address}")),
        "{error}"
    );
}

#[rstest]
#[case::port("https://c.svc:15012", "c.svc", 15012)]
#[case::no_port("https://c.svc", "c.svc", 15012)]
#[case::slash("https://c.svc:1/", "c.svc", 1)]
#[case::v4("https://10.0.0.1:1", "10.0.0.1", 1)]
#[case::v6("https://[fd00::1]:1", "fd00::1", 1)]
fn addresses(#[case] address: &str, #[case] host: &str, #[case] port: u16) {
    let config = ChannelConfig { address: address.into(), ..ChannelConfig::default() };
    let channel = ControlChannel::new(config).unwrap();
    assert_eq!((channel.target.host.as_str(), channel.target.port), (host, port));
    assert_eq!(channel.target.name.to_str(), host);
    channel.endpoint().unwrap();
}

#[rstest]
#[case::plaintext("http://c.svc:15010")]
#[case::no_scheme("c.svc:15012")]
#[case::path("https://c.svc/x")]
#[case::empty("")]
#[case::no_host("https://:1")]
#[case::underscores("https://a b:1")]
fn no_addresses(#[case] address: &str) {
    let config = ChannelConfig { address: address.into(), ..ChannelConfig::default() };
    let error = ControlChannel::new(config).unwrap_err().to_string();
    assert!(error.contains(&format!("{address:?}")) || error.contains("DNS name"), "{error}");
}
