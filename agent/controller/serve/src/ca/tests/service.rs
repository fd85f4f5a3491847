//! The service with a real CA behind it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prost_types::value::Kind;
use prost_types::{Struct, Value};
use rstest::rstest;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tempfile::TempDir;
use tonic::{Code, Request, Status};
use weir_identity::ca::{AuthorityConfig, CaAuthority, DirStore};
use weir_identity::{
    CaError, CertificateAuthority, CertificateSummary, Certificates, Config, RemoteAuthority, RemoteConfig,
    SignFuture, peer_identity,
};
use weir_model::Identity;
use weir_proto::ca::IstioCertificateRequest;
use weir_proto::ca::istio_certificate_service_server::{
    IstioCertificateService, IstioCertificateServiceServer,
};

use super::node::{Mesh, config};
use crate::auth::{Authenticator, Caller, JwksKeys, JwksVerifier, PodRef, system_clock};
use crate::ca::metrics::Outcome;
use crate::ca::{CaConfig, CaMetrics, CaService, RateLimit};
use tower::Layer;

/// A request that openssl made: `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=root
/// -addext subjectAltName=URI:spiffe://td/ns/kube-system/sa/admin -addext basicConstraints=CA:TRUE`.
const CSR: &str = include_str!("admin.csr");

async fn service(dir: &TempDir, config: CaConfig) -> (CaService, CaMetrics) {
    let store = Arc::new(DirStore::new(dir.path().join("ca")));
    let authority = CaAuthority::open_or_create(store, AuthorityConfig::default()).await.unwrap();
    let metrics = CaMetrics::default();
    (CaService::new(Arc::new(authority), Arc::new(Mesh), config, metrics.clone()), metrics)
}

fn agent() -> Caller {
    let pod = PodRef { name: "agent-a".into(), uid: "uid-agent-a".into() };
    Caller { pod: Some(pod), ..Caller::new("weir-system", "weir-agent") }
}

fn request(
    caller: Caller,
    csr: &str,
    seconds: i64,
    metadata: &[(&str, Kind)],
) -> Request<IstioCertificateRequest> {
    let field = |(key, kind): &(&str, Kind)| ((*key).to_owned(), Value { kind: Some(kind.clone()) });
    let fields: BTreeMap<_, _> = metadata.iter().map(field).collect();
    let mut request = Request::new(IstioCertificateRequest {
        csr: csr.to_owned(),
        validity_duration: seconds,
        metadata: Some(Struct { fields }),
    });
    request.extensions_mut().insert(caller);
    request
}

fn text(text: &str) -> Kind {
    Kind::StringValue(text.to_owned())
}

#[tokio::test]
async fn the_name_is_the_one_that_was_proved_whatever_the_request_wishes() {
    let temp = TempDir::new().unwrap();
    let (service, metrics) = service(&temp, config()).await;
    let web = "spiffe://td/ns/shop/sa/web";
    let cases = [
        (agent(), vec![("ImpersonatedIdentity", text(web))], web),
        (agent(), Vec::new(), "spiffe://td/ns/weir-system/sa/weir-agent"),
        (Caller::new("shop", "web"), vec![("ImpersonatedIdentity", text(""))], web),
    ];
    for (caller, metadata, expected) in cases {
        let answer = service.create_certificate(request(caller, CSR, 3600, &metadata)).await.unwrap();
        let elements = answer.into_inner().cert_chain;
        assert_eq!(elements.len(), 2, "the leaf, and the roots");
        let leaf = CertificateDer::from_pem_slice(elements[0].as_bytes()).unwrap();
        assert_eq!(peer_identity(&[leaf]).unwrap().to_string(), expected);
    }
    assert_eq!(metrics.get(Outcome::Issued), 3);
}

#[rstest]
#[case::not_pem("hello", 0, vec![], "CERTIFICATE REQUEST")]
#[case::empty("", 0, vec![], "CERTIFICATE REQUEST")]
#[case::not_der("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", 0, vec![], "not a PKCS#10")]
#[case::too_long(CSR, 91 * 86_400, vec![], "validity_duration")]
#[case::endless(CSR, i64::MAX, vec![], "validity_duration")]
#[case::another_signer(CSR, 0, vec![("CertSigner", text("acme"))], "CertSigner")]
#[case::no_text(CSR, 0, vec![("ImpersonatedIdentity", Kind::BoolValue(true))], "ImpersonatedIdentity in metadata is not a text")]
#[case::no_identity(CSR, 0, vec![("ImpersonatedIdentity", text("web"))], "spiffe://")]
#[tokio::test]
async fn a_bad_request_is_told_what_is_wrong(
    #[case] csr: &str,
    #[case] seconds: i64,
    #[case] metadata: Vec<(&str, Kind)>,
    #[case] said: &str,
) {
    let temp = TempDir::new().unwrap();
    let (service, metrics) = service(&temp, config()).await;
    let status = service.create_certificate(request(agent(), csr, seconds, &metadata)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().contains(said), "{status}");
    assert_eq!(metrics.get(Outcome::Invalid), 1);
}

#[rstest]
#[case::less(600, 600)]
#[case::the_default(0, 3600)]
#[case::nonsense(i64::MIN, 3600)]
#[case::more(86_400, 3600)]
#[tokio::test]
async fn nobody_gets_more_than_there_is_to_give(#[case] asked: i64, #[case] given: u64) {
    let temp = TempDir::new().unwrap();
    let max_lifetime = Duration::from_secs(3600);
    let (service, _) = service(&temp, CaConfig { max_lifetime, ..config() }).await;
    let answer = service.create_certificate(request(agent(), CSR, asked, &[])).await.unwrap();
    let leaf = CertificateDer::from_pem_slice(answer.into_inner().cert_chain[0].as_bytes()).unwrap();
    let leaf = CertificateSummary::read(&leaf).unwrap();
    // It begins two minutes in the past.
    assert_eq!(leaf.not_after.duration_since(leaf.not_before).unwrap().as_secs(), given + 120);
}

#[tokio::test]
async fn a_request_of_megabytes_is_not_parsed() {
    let temp = TempDir::new().unwrap();
    let (service, _) = service(&temp, config()).await;
    let long = CSR.repeat(1000);
    let status = service.create_certificate(request(agent(), &long, 0, &[])).await.unwrap_err();
    assert!(status.message().contains("bytes"), "{status}");
}

#[tokio::test]
async fn who_is_told_why() {
    let temp = TempDir::new().unwrap();
    let (service, metrics) = service(&temp, config()).await;
    let ask = |caller| {
        let metadata = [("ImpersonatedIdentity", text("spiffe://td/ns/shop/sa/api"))];
        service.create_certificate(request(caller, CSR, 0, &metadata))
    };
    let status = ask(agent()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(
        status.message().starts_with("request impersonation authentication failure: no pod with"),
        "{status}"
    );
    let status = ask(Caller::new("shop", "web")).await.unwrap_err();
    assert_eq!(status.message(), "request impersonation authentication failure");
    assert_eq!(metrics.get(Outcome::Denied), 2);
    let mut stranger = request(agent(), CSR, 0, &[]);
    stranger.extensions_mut().clear();
    assert_eq!(service.create_certificate(stranger).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(start_paused = true)]
async fn one_caller_has_its_share() {
    let temp = TempDir::new().unwrap();
    let rate = RateLimit { per_second: 1.0, burst: 2.0 };
    let (service, metrics) = service(&temp, CaConfig { rate, ..config() }).await;
    let ask = |caller| service.create_certificate(request(caller, "", 0, &[]));
    let codes = [ask(agent()).await, ask(agent()).await, ask(agent()).await].map(|a| a.unwrap_err().code());
    assert_eq!(codes, [Code::InvalidArgument, Code::InvalidArgument, Code::ResourceExhausted]);
    assert_eq!(ask(Caller::new("shop", "web")).await.unwrap_err().code(), Code::InvalidArgument);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(ask(agent()).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(metrics.get(Outcome::Limited), 1);
}

/// A CA whose key is out of reach.
struct Broken;

impl CertificateAuthority for Broken {
    fn sign(&self, _: Vec<u8>, identity: Identity, _: Duration) -> SignFuture<'_> {
        let (authority, source) = ("broken".to_owned(), "secret detail".into());
        Box::pin(async { Err(CaError::Unavailable { authority, identity, source }) })
    }
}

#[tokio::test]
async fn a_ca_that_cannot_sign_is_internal_and_keeps_its_reasons() {
    let service = CaService::new(Arc::new(Broken), Arc::new(Mesh), config(), CaMetrics::default());
    let status: Status = service.create_certificate(request(agent(), CSR, 0, &[])).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(!status.message().contains("secret"), "{status}");
}

/// Both halves: a node's `Certificates` asks through the authentication layer, with a token of our own.
#[tokio::test]
async fn a_node_gets_the_certificates_of_its_pods() {
    let temp = TempDir::new().unwrap();
    let (service, _) = service(&temp, CaConfig { node_tokens: true, ..config() }).await;
    let keys = JwksKeys::open_or_create(temp.path().join("keys")).unwrap();
    let verifier = JwksVerifier::open(keys.jwks(), "istio-ca", None, system_clock()).unwrap();
    let layer = Authenticator::new(Arc::new(verifier), "td", system_clock());
    let caller = Caller { node: Some("a".into()), ..Caller::new("weir-system", "weir-agent") };
    let hour = Duration::from_secs(3600);
    let token = keys.issue(&caller, "istio-ca", std::time::SystemTime::now(), hour).unwrap();
    let authority = RemoteAuthority::new(
        layer.layer(IstioCertificateServiceServer::new(service)),
        RemoteConfig {
            name: "controller".to_owned(),
            token: Arc::new(move || Ok(Some(token.clone()))),
            headers: Vec::new(),
            deadline: Duration::from_secs(10),
            roots_file: None,
        },
    );
    let certificates = Certificates::new(Arc::new(authority), Config::default()).unwrap();
    let id = |account| Identity::new("td", "shop", account).unwrap();
    let held = certificates.fetch(&id("web")).await.unwrap();
    assert_eq!((held.identity(), held.roots().len()), (&id("web"), 1));
    let error = certificates.fetch(&id("api")).await.unwrap_err().to_string();
    assert!(error.contains("controller refuses to sign") && error.contains("on node a"), "{error}");
}
