//! Secrets.

use rcgen::{CertificateParams, KeyPair};
use rstest::rstest;
use serde_json::{Value, json};

use super::{bad, good};
use crate::{Object, Secret};

fn secret(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "a", "name": "b"}, "stringData": data})
}

fn read(value: Value) -> Secret {
    match good(value) {
        Object::Secret(secret) => secret,
        other => panic!("{other:?}"),
    }
}

/// A certificate and its key.
fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[rstest]
#[case::kubernetes("tls.crt", "tls.key", "ca.crt")]
#[case::generic("cert", "key", "cacert")]
fn both_sets_of_keys_are_read(#[case] cert: &str, #[case] key: &str, #[case] ca: &str) {
    let (certificate, private_key) = pair();
    let found = read(secret(json!({cert: certificate, key: private_key, ca: certificate, "password": "x"})));
    assert_eq!(found.certificate, certificate.as_bytes());
    assert_eq!(found.private_key, private_key.as_bytes());
    assert_eq!(found.ca_certificates, certificate.as_bytes());
    assert!(found.not_after.is_some());
    assert_eq!(format!("{found:?}"), "Secret(a/b)");
}

#[test]
fn data_is_base64() {
    let value = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "a", "name": "b"}, "data": {"other": 1}});
    assert_eq!(read(value), read(secret(json!({}))), "other keys are nobody's business here");
    let (certificate, _) = pair();
    // "CERT" in base64, over two lines.
    let value = |text: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "a", "name": "b"}, "data": {"ca.crt": text}});
    assert_eq!(bad(value("Q0VS\nVA==")), bad(secret(json!({"ca.crt": "CERT"}))));
    assert_eq!(bad(value("?")), "data[ca.crt]: is not base64");
    assert!(!read(secret(json!({"ca.crt": certificate}))).ca_certificates.is_empty());
}

#[rstest]
#[case::half(|c: String, _| json!({"tls.crt": c}), "data[tls.key]: is missing beside tls.crt")]
#[case::other_half(|_, k: String| json!({"tls.key": k}), "data[tls.crt]: is missing beside tls.key")]
#[case::no_pem(|c: String, _| json!({"tls.crt": c, "tls.key": "SECRET"}), "data[tls.key]: is no PEM of a private key")]
#[case::no_certificate(|_, k: String| json!({"tls.crt": k, "tls.key": k}), "data[tls.crt]: is no PEM of certificates: there is none")]
#[case::of_another(|c: String, _| json!({"tls.crt": c, "tls.key": pair().1}), "data[tls.key]: does not belong to tls.crt")]
#[case::authority(|_, _| json!({"ca.crt": "SECRET"}), "data[ca.crt]: is no PEM of certificates")]
#[case::list(|c: String, _| json!({"ca.crl": c}), "data[ca.crl]: is no PEM of revocation lists")]
#[case::no_text(|_, _| json!({"tls.crt": 5}), "stringData[tls.crt]: is no text")]
fn what_is_of_no_use_is_said_and_not_shown(
    #[case] data: fn(String, String) -> Value,
    #[case] expected: &str,
) {
    let (certificate, key) = pair();
    let problem = bad(secret(data(certificate, key)));
    assert!(problem.starts_with(expected) && !problem.contains("SECRET"), "{problem}");
}
