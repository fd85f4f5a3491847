//! What goes out, what is read, and how failures are told.

use std::io;
use std::sync::{Arc, Mutex};

use rstest::rstest;
use tonic::{Request, Response};
use weir_proto::ca::istio_certificate_service_server::{
    IstioCertificateService, IstioCertificateServiceServer,
};
use weir_proto::ca::{IstioCertificateRequest, IstioCertificateResponse};

use super::answer::{UnreadableAnswer, read};
use super::*;
use crate::certificate::pem;
use crate::fixture::{HOUR, TestCa, Wall, id};

type Script = dyn Fn() -> Result<Vec<String>, Status> + Send + Sync;

/// A service that answers by a script and remembers what it was asked.
#[derive(Clone)]
struct Scripted {
    script: Arc<Script>,
    asked: Arc<Mutex<Vec<Request<IstioCertificateRequest>>>>,
}

#[tonic::async_trait]
impl IstioCertificateService for Scripted {
    async fn create_certificate(
        &self,
        request: Request<IstioCertificateRequest>,
    ) -> Result<Response<IstioCertificateResponse>, Status> {
        self.asked.lock().unwrap().push(request);
        let answer = (self.script)();
        if matches!(&answer, Ok(chain) if chain == &["hang"]) {
            return std::future::pending().await;
        }
        Ok(Response::new(IstioCertificateResponse { cert_chain: answer? }))
    }
}

/// Its own channel: calls without a wire.
type Direct = IstioCertificateServiceServer<Scripted>;

fn authority(
    script: impl Fn() -> Result<Vec<String>, Status> + Send + Sync + 'static,
) -> (RemoteAuthority<Direct>, Scripted) {
    let service = Scripted { script: Arc::new(script), asked: Arc::default() };
    let config = RemoteConfig {
        name: "https://ca:15012".to_owned(),
        token: Arc::new(|| Ok(Some("secret\n".to_owned()))),
        headers: vec![("ClusterID".to_owned(), "east".to_owned())],
        deadline: Duration::from_secs(5),
        roots_file: None,
    };
    let channel = Direct::new(service.clone());
    (RemoteAuthority::new(channel, config), service)
}

fn root(name: &str) -> String {
    pem("CERTIFICATE", &TestCa::root(name, Wall::new().now()).certificate)
}

#[tokio::test]
async fn the_request_names_whom_it_is_for_and_who_asks() {
    let (authority, service) = authority(|| Ok(vec![root("leaf"), root("root")]));
    authority.sign(b"csr".to_vec(), id("web"), HOUR).await.unwrap();
    let asked = service.asked.lock().unwrap();
    let (metadata, message) = (asked[0].metadata(), asked[0].get_ref());
    assert_eq!(metadata.get("authorization").unwrap(), "Bearer secret");
    assert_eq!(metadata.get("clusterid").unwrap(), "east");
    assert_eq!(message.csr, pem("CERTIFICATE REQUEST", b"csr"));
    assert_eq!(message.validity_duration, 3600);
    let named = &message.metadata.as_ref().unwrap().fields["ImpersonatedIdentity"];
    assert_eq!(
        named.kind,
        Some(prost_types::value::Kind::StringValue("spiffe://mesh/ns/shop/sa/web".to_owned()))
    );
}

#[test]
fn the_last_element_holds_the_roots() {
    let [leaf, middle, one, two] = ["leaf", "middle", "one", "two"].map(root);
    let answer = read(&[leaf.clone(), middle.clone(), format!("{one}{two}")]).unwrap();
    assert_eq!((answer.chain.len(), answer.roots.len()), (2, 2));
    // The root signed by itself and sent along; all in one element but the roots.
    let answer = read(&[format!("{leaf}{middle}"), one.clone(), one.clone()]).unwrap();
    assert_eq!((answer.chain.len(), answer.roots.len()), (2, 1));
    assert_eq!(read(&[]), Err(UnreadableAnswer::TooShort { elements: 0 }));
    assert_eq!(read(std::slice::from_ref(&leaf)), Err(UnreadableAnswer::TooShort { elements: 1 }));
    assert!(matches!(read(&vec![leaf.clone(); 33]), Err(UnreadableAnswer::TooLong { .. })));
    for (number, bad) in [(1, [String::new(), one.clone()]), (2, [leaf, "-----BEGIN".to_owned()])] {
        assert!(matches!(read(&bad), Err(UnreadableAnswer::Element { number: n, .. }) if n == number));
    }
}

#[rstest]
#[case(
    Status::invalid_argument("bad\nCSR"),
    "https://ca:15012 refuses to sign",
    "InvalidArgument: bad\\nCSR"
)]
#[case(Status::unauthenticated("no"), "refuses to sign", "Unauthenticated: no")]
#[case(Status::permission_denied("no"), "refuses to sign", "PermissionDenied")]
#[case(Status::internal("CA not ready"), "cannot sign", "Internal: CA not ready")]
#[case(Status::unavailable("later"), "cannot sign", "Unavailable: later")]
#[tokio::test]
async fn a_refusal_and_an_outage_read_differently(
    #[case] status: Status,
    #[case] verb: &str,
    #[case] said: &str,
) {
    let (authority, _) = authority(move || Err(status.clone()));
    let error = authority.sign(Vec::new(), id("web"), HOUR).await.unwrap_err().to_string();
    assert!(error.contains(verb) && error.contains(said) && error.contains("sa/web"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_call_has_a_deadline_of_its_own() {
    let (authority, _) = authority(|| Ok(vec!["hang".to_owned()]));
    let error = authority.sign(Vec::new(), id("web"), HOUR).await.unwrap_err().to_string();
    assert!(error.contains("no answer within 5s") || error.contains("Timeout expired"), "{error}");
}

#[tokio::test]
async fn a_token_that_cannot_be_read_or_sent_is_said_and_nothing_is_asked() {
    type Token = fn() -> io::Result<Option<String>>;
    let cases: [(Token, &str); 2] = [
        (|| Err(io::Error::from(io::ErrorKind::NotFound)), "the token cannot be read"),
        (|| Ok(Some("a\u{7}b".to_owned())), "characters that no header may have"),
    ];
    for (token, said) in cases {
        let (mut authority, service) = authority(|| Ok(Vec::new()));
        authority.config.token = Arc::new(token);
        let error = authority.sign(Vec::new(), id("web"), HOUR).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert!(service.asked.lock().unwrap().is_empty());
    }
}

#[test]
fn another_roots_file_is_another_generation() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("root-cert.pem");
    let (mut authority, _) = authority(|| Ok(Vec::new()));
    authority.config.roots_file = Some(path.clone());
    let none = authority.generation();
    std::fs::write(&path, "one").unwrap();
    let one = authority.generation();
    assert_eq!(one, authority.generation());
    std::fs::write(&path, "other").unwrap();
    assert!(none != one && one != authority.generation());
}
