//! Keys that are handed over.

use std::fs;

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, SignatureAlgorithm};
use rstest::rstest;

use super::{Stage, agent};
use crate::auth::{AuthError, HeldKeys, ISSUER, JwksKeys};

#[test]
fn keys_count_from_when_they_are_held_until_they_are_forgotten() {
    let stage = Stage::new();
    let (held, token) = (HeldKeys::new("istio-ca", stage.wall.clock()), stage.token("istio-ca"));
    let jwks = fs::read(stage.keys.jwks()).unwrap();
    assert_eq!(held.verify_now(&token), None);
    held.hold(ISSUER, &jwks).unwrap();
    assert_eq!(held.verify_now(&token), Some(Ok(agent())));
    assert!(held.hold(ISSUER, b"<html>").unwrap_err().to_string().contains("no JWK set"));
    assert_eq!(held.verify_now(&token), Some(Ok(agent())));
    let other = JwksKeys::open_or_create(stage.temp.path().join("other")).unwrap();
    held.hold(ISSUER, &fs::read(other.jwks()).unwrap()).unwrap();
    assert!(matches!(held.verify_now(&token), Some(Err(AuthError::Refused(why))) if why.contains("no key")));
    held.hold("https://else", &jwks).unwrap();
    assert!(
        matches!(held.verify_now(&token), Some(Err(AuthError::Refused(why))) if why.contains("InvalidIssuer"))
    );
    held.forget();
    assert_eq!(held.verify_now(&token), None);
}

#[test]
fn they_are_for_one_audience_and_end_by_their_clock() {
    let stage = Stage::new();
    let held = HeldKeys::new("istio-ca", stage.wall.clock());
    held.hold(ISSUER, &fs::read(stage.keys.jwks()).unwrap()).unwrap();
    let believes = |token: &str| held.verify_now(token).unwrap().is_ok();
    let token = stage.token("istio-ca");
    assert!(believes(&token) && !believes(&stage.token("vault")));
    stage.wall.pass(2 * super::HOUR);
    assert!(!believes(&token));
}

/// What API servers may sign with (`--service-account-signing-key-file`); most have an RSA key.
#[rstest]
#[case::rsa(&PKCS_RSA_SHA256, Algorithm::RS256, EncodingKey::from_rsa_pem)]
#[case::p256(&PKCS_ECDSA_P256_SHA256, Algorithm::ES256, EncodingKey::from_ec_pem)]
#[case::p384(&PKCS_ECDSA_P384_SHA384, Algorithm::ES384, EncodingKey::from_ec_pem)]
fn every_key_that_a_cluster_may_have(
    #[case] kind: &'static SignatureAlgorithm,
    #[case] algorithm: Algorithm,
    #[case] read: fn(&[u8]) -> jsonwebtoken::errors::Result<EncodingKey>,
) {
    let stage = Stage::new();
    let key = read(KeyPair::generate_for(kind).unwrap().serialize_pem().as_bytes()).unwrap();
    let mut public = Jwk::from_encoding_key(&key, algorithm).unwrap();
    public.common.key_id = Some("key-1".to_owned());
    let held = HeldKeys::new("istio-ca", stage.wall.clock());
    let jwks = serde_json::to_vec(&JwkSet { keys: vec![public] }).unwrap();
    held.hold("https://kubernetes.default.svc", &jwks).unwrap();
    let header = Header { kid: Some("key-1".to_owned()), ..Header::new(algorithm) };
    let token = encode(&header, &stage.claims(), &key).unwrap();
    assert_eq!(held.verify_now(&token).unwrap().unwrap().to_string(), "shop/web (pod web-1) (node a)");
}
