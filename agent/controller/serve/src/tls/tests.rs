//! Handshakes with the control plane.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use weir_identity::ca::{AuthorityConfig, DirStore, RotationPolicy};
use weir_identity::{Certificates, Config};
use weir_model::Identity;

use super::*;
use crate::auth::Peer;

/// A CA and a server of it, at a time that can be set.
struct Stage {
    authority: CaAuthority,
    offset: Arc<Mutex<Duration>>,
    clock: Arc<dyn Clock>,
    _temp: TempDir,
}

impl Stage {
    async fn new() -> Self {
        let temp = TempDir::new().unwrap();
        let offset = Arc::new(Mutex::new(Duration::ZERO));
        let clock: Arc<dyn Clock> = {
            let (start, offset) = (SystemTime::now(), offset.clone());
            Arc::new(move || start + *offset.lock().unwrap())
        };
        let rotation = RotationPolicy { overlap: DAY, ..RotationPolicy::default() };
        let config = AuthorityConfig { rotation, poll: Duration::ZERO, clock: clock.clone() };
        let store = Arc::new(DirStore::new(temp.path().join("ca")));
        let authority = CaAuthority::open_or_create(store, config).await.unwrap();
        Self { authority, offset, clock, _temp: temp }
    }

    fn tls(&self, config: TlsConfig) -> Tls {
        Tls::new(self.authority.clone(), config, self.clock.clone()).unwrap()
    }

    fn grpc(&self) -> Tls {
        self.tls(TlsConfig::grpc(service_names("weir-controller", "weir-system", "cluster.local"), "td"))
    }

    /// A client that trusts what the CA says is to be trusted, and knows the server by name.
    fn client(&self, version: &'static SupportedProtocolVersion) -> ClientConfig {
        ClientConfig::builder_with_details(Arc::new(aws_lc_rs::default_provider()), self.time())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(self.roots())
            .with_no_client_auth()
    }

    /// The same with the certificate of a workload of `of`.
    async fn workload(&self, of: &Self, trust_domain: &str) -> ClientConfig {
        let config = Config { clock: self.clock.clone(), ..Config::default() };
        let certificates = Certificates::new(Arc::new(of.authority.clone()), config).unwrap();
        let id = Identity::new(trust_domain, "shop", "web").unwrap();
        let held = certificates.fetch(&id).await.unwrap();
        let mut client = ClientConfig::clone(&held.client_config(&[]));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(self.roots().into(), provider).build().unwrap();
        client.dangerous().set_certificate_verifier(verifier);
        client
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        for der in CertificateDer::pem_slice_iter(self.authority.roots_pem().as_bytes()) {
            roots.add(der.unwrap()).unwrap();
        }
        roots
    }

    fn time(&self) -> Arc<TlsClock> {
        Arc::new(TlsClock(self.clock.clone()))
    }

    fn pass(&self, time: Duration) {
        *self.offset.lock().unwrap() += time;
    }
}

/// Whom the server sees and which version was agreed on, or the error of whichever side was first.
async fn shake(
    client: ClientConfig,
    server: &TlsSource,
    name: &str,
) -> Result<(Option<Identity>, ProtocolVersion), String> {
    let (near, far) = tokio::io::duplex(1 << 16);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(client));
    let connect = connector.connect(name, near);
    let accept = TlsAcceptor::from(server.load_full()).accept(far);
    let (connected, accepted) = tokio::join!(connect, accept);
    connected.map_err(|error| format!("client: {error}"))?;
    let accepted = accepted.map_err(|error| format!("server: {error}"))?;
    let connection = accepted.get_ref().1;
    let peer = Peer::of(([127, 0, 0, 1], 1).into(), connection);
    Ok((peer.identity, connection.protocol_version().unwrap()))
}

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn clients_know_the_server_by_its_names_and_may_speak_tls_1_2() {
    let stage = Stage::new().await;
    let source = stage.grpc().source();
    let full = "weir-controller.weir-system.svc.cluster.local";
    for name in ["weir-controller.weir-system.svc", full, "localhost", "127.0.0.1", "::1"] {
        assert_eq!(shake(stage.client(&TLS13), &source, name).await, Ok((None, ProtocolVersion::TLSv1_3)));
    }
    assert_eq!(shake(stage.client(&TLS12), &source, full).await, Ok((None, ProtocolVersion::TLSv1_2)));
    let error = shake(stage.client(&TLS13), &source, "istiod.istio-system.svc").await.unwrap_err();
    assert!(error.contains("not valid for name"), "{error}");
}

#[tokio::test]
async fn a_certificate_that_is_shown_must_be_good() {
    let (stage, stranger) = (Stage::new().await, Stage::new().await);
    let source = stage.grpc().source();
    let (peer, _) = shake(stage.workload(&stage, "td").await, &source, "localhost").await.unwrap();
    assert_eq!(peer.unwrap().to_string(), "spiffe://td/ns/shop/sa/web");
    for client in [stage.workload(&stranger, "td").await, stage.workload(&stage, "elsewhere").await] {
        let error = shake(client, &source, "localhost").await.unwrap_err();
        assert!(error.starts_with("server: invalid peer certificate"), "{error}");
    }
    // The API server's certificate is of another CA, and nobody asks for it.
    let webhook =
        stage.tls(TlsConfig::webhook(service_names("weir-webhook", "weir-system", "cluster.local")));
    let mut client = stage.workload(&stranger, "td").await;
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    assert_eq!(shake(client, &webhook.source(), "localhost").await.unwrap().0, None);
}

#[tokio::test(start_paused = true)]
async fn the_certificate_is_renewed_in_time_and_with_the_root() {
    let stage = Stage::new().await;
    let tls = stage.grpc();
    let source = tls.source();
    let renewing = tokio::spawn(tls.run());
    let first = source.load_full();
    // The clock of certificates stands still while timers run: nothing is due.
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(Arc::ptr_eq(&first, &source.load_full()));
    stage.pass(DAY / 2);
    tokio::time::sleep(Duration::from_secs(31)).await;
    let second = source.load_full();
    assert!(!Arc::ptr_eq(&first, &second));

    let before = stage.client(&TLS13);
    stage.authority.rotate().await.unwrap();
    let announced = stage.client(&TLS13);
    stage.pass(DAY);
    stage.authority.advance().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    shake(announced, &source, "localhost").await.expect("who learnt of the root goes on");
    let error = shake(before, &source, "localhost").await.unwrap_err();
    assert!(error.contains("UnknownIssuer"), "the new root signs: {error}");
    renewing.abort();
}
