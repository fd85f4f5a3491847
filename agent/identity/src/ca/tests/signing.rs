//! What a certificate holds, and which requests get one.

use std::fs;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair, SanType};
use tempfile::TempDir;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{lifetime, request};
use crate::ca::FileAuthority;
use crate::ca::issue::{IssueError, random_serial};
use crate::certificate::pem;
use crate::fixture::{HOUR, MINUTE, Wall, id, openssl};
use crate::{RequestError, peer_identity};

#[test]
fn nothing_of_the_request_but_its_key_is_signed() {
    let temp = TempDir::new().unwrap();
    let wall = Wall::new();
    let authority = FileAuthority::open_or_create_at(temp.path().join("ca"), wall.clock()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut wish = CertificateParams::new(vec!["admin.example".to_owned()]).unwrap();
    wish.subject_alt_names.push(SanType::URI("spiffe://mesh/ns/kube-system/sa/admin".try_into().unwrap()));
    wish.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    wish.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    wish.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::CodeSigning];
    let csr = wish.serialize_request(&key).unwrap().der().to_vec();
    let chain = authority.shared.sign(&csr, &id("web"), 24 * HOUR).unwrap().chain;
    assert_eq!(chain.len(), 1, "the root is not sent");

    let (_, leaf) = X509Certificate::from_der(&chain[0]).unwrap();
    assert_eq!(leaf.public_key().subject_public_key.data, key.public_key_raw());
    assert_eq!(leaf.subject().iter().count(), 0);
    let san = leaf.subject_alternative_name().unwrap().unwrap();
    assert!(san.critical);
    assert_eq!(san.value.general_names, [GeneralName::URI("spiffe://mesh/ns/shop/sa/web")]);
    assert!(!leaf.basic_constraints().unwrap().unwrap().value.ca);
    let usage = leaf.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && usage.key_encipherment() && !usage.key_cert_sign());
    let extended = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.server_auth && extended.client_auth && !extended.code_signing && !extended.any);
    assert_eq!(lifetime(&chain[0]), 24 * HOUR + 2 * MINUTE, "backdated");
    assert_eq!(leaf.raw_serial().len(), 16);
}

#[test]
fn serials_differ() {
    let mut serials: Vec<_> = (0..100).map(|_| random_serial().to_bytes()).collect();
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), 100);
}

#[test]
fn bad_requests_are_refused() {
    let temp = TempDir::new().unwrap();
    let authority = FileAuthority::open_or_create(temp.path().join("ca")).unwrap();
    let issuer = authority.shared.issuer();
    let refusal = |csr: &[u8], lifetime| match issuer.issue(csr, &id("web"), lifetime, SystemTime::now()) {
        Err(IssueError::Request(error)) => error,
        _ => panic!("not refused"),
    };
    let mut tampered = request();
    let end = tampered.len() - 1;
    tampered[end] ^= 1;
    assert_eq!(refusal(&tampered, HOUR), RequestError::Signature);
    assert!(matches!(refusal(b"hello", HOUR), RequestError::Malformed { .. }));
    assert!(matches!(refusal(&[request(), vec![0]].concat(), HOUR), RequestError::Malformed { .. }));
    assert!(matches!(refusal(&request(), 91 * 24 * HOUR), RequestError::Lifetime { .. }));
    let chain = issuer.issue(&request(), &id("web"), Duration::ZERO, SystemTime::now()).ok().unwrap().chain;
    assert_eq!(lifetime(&chain[0]), 24 * HOUR + 2 * MINUTE, "zero asks for the default");
}

/// Decided: Istio's gateway agents ask with RSA-2048 and must get an answer; weak or odd keys do not.
#[test]
fn keys_of_openssl_are_taken_if_they_are_strong() {
    let temp = TempDir::new().unwrap();
    let authority = FileAuthority::open_or_create(temp.path().join("ca")).unwrap();
    let cases = [
        ("rsa:2048", None),
        ("ec -pkeyopt ec_paramgen_curve:P-256", None),
        ("ec -pkeyopt ec_paramgen_curve:P-384", None),
        ("rsa:1024", Some("RSA of 1024 bits")),
        ("ec -pkeyopt ec_paramgen_curve:secp256k1", Some("")),
        ("ec -pkeyopt ec_paramgen_curve:P-521", Some("")),
        ("ed25519", Some("use ECDSA")),
    ];
    for (key, refused) in cases {
        let request =
            format!("req -new -newkey {key} -nodes -keyout k.pem -outform DER -out r.der -subj /CN=me");
        let Some((made, said)) = openssl(temp.path(), &request) else {
            return;
        };
        assert!(made, "{key}: {said}");
        let answer = authority.shared.sign(&fs::read(temp.path().join("r.der")).unwrap(), &id("web"), HOUR);
        match (answer, refused) {
            (Ok(answer), None) => assert_eq!(peer_identity(&answer.chain), Ok(id("web"))),
            (Err(error), Some(text)) => assert!(error.to_string().contains(text), "{key}: {error}"),
            (answer, _) => panic!("{key}: {answer:?}"),
        }
    }
}

#[test]
fn openssl_verifies_what_is_signed() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("ca");
    let authority = FileAuthority::open_or_create(&dir).unwrap();
    let chain = authority.shared.sign(&request(), &id("web"), HOUR).unwrap().chain;
    fs::write(dir.join("leaf.pem"), pem("CERTIFICATE", &chain[0])).unwrap();
    for purpose in ["sslserver", "sslclient"] {
        let verify = format!("verify -x509_strict -purpose {purpose} -CAfile root-cert.pem leaf.pem");
        let Some((holds, said)) = openssl(&dir, &verify) else {
            return;
        };
        assert!(holds, "{said}");
    }
}
