//! Keys that are handed over.

use std::fs;

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
