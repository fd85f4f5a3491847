//! What a JWKS verifier believes.

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rstest::rstest;
use serde_json::{Value, json};

use super::{HOUR, Stage, agent};
use crate::auth::{AuthError, Caller, JwksKeys, JwksVerifier, system_clock};

impl Stage {
    pub(super) fn claims(&self) -> Value {
        let now = self.wall.now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        json!({
            "iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:shop:web",
            "aud": ["istio-ca"], "exp": now + 3600, "nbf": now, "iat": now,
            "kubernetes.io": {
                "namespace": "shop", "serviceaccount": {"name": "web", "uid": "s"},
                "pod": {"name": "web-1", "uid": "p"}, "node": {"name": "a", "uid": "n"},
            },
        })
    }

    fn signed(&self, header: &Header, claims: &Value) -> String {
        let pem = fs::read(self.keys.dir().join("token-key.pem")).unwrap();
        encode(header, claims, &EncodingKey::from_ec_pem(&pem).unwrap()).unwrap()
    }

    fn refusal(&self, token: &str) -> String {
        match self.verifier.verify_now(token) {
            Err(AuthError::Refused(reason)) => reason,
            other => panic!("not refused: {other:?}"),
        }
    }
}

#[test]
fn what_we_issue_says_who_it_is_for() {
    let stage = Stage::new();
    assert_eq!(stage.verifier.verify_now(&stage.token("istio-ca")), Ok(agent()));
    let bare = Caller::new("shop", "web");
    let token = stage.keys.issue(&bare, "istio-ca", stage.wall.now(), HOUR).unwrap();
    assert_eq!(stage.verifier.verify_now(&token), Ok(bare));
}

#[test]
fn kubernetes_own_tokens_are_read() {
    let stage = Stage::new();
    let caller =
        stage.verifier.verify_now(&stage.signed(&Header::new(Algorithm::ES256), &stage.claims())).unwrap();
    assert_eq!(caller.to_string(), "shop/web (pod web-1) (node a)");
    assert_eq!(&*caller.pod.unwrap().uid, "p");
}

#[rstest]
#[case::other_audience("/aud", json!(["else"]), "InvalidAudience")]
#[case::no_audience("/aud", Value::Null, "aud")]
#[case::no_issuer("/iss", Value::Null, "invalid type")]
#[case::no_end("/exp", Value::Null, "invalid type")]
#[case::an_end_that_is_text("/exp", json!("never"), "invalid type")]
#[case::over("/exp", json!(1_795_219_189u64), "expired")]
#[case::not_yet("/nbf", json!(1_795_219_211u64), "valid in 11 seconds")]
#[case::a_user("/sub", json!("alice"), "its subject is \"alice\"")]
#[case::no_account("/sub", json!("system:serviceaccount:shop"), "its subject")]
#[case::empty_account("/sub", json!("system:serviceaccount:shop:"), "must not be empty")]
#[case::a_path("/sub", json!("system:serviceaccount:shop:../x"), "may only have letters")]
#[case::two_minds("/kubernetes.io/namespace", json!("bank"), "differ")]
#[case::two_accounts("/kubernetes.io/serviceaccount/name", json!("api"), "differ")]
#[case::bound_to_nonsense("/kubernetes.io/pod", json!("web"), "invalid type")]
fn claims_that_do_not_count(#[case] path: &str, #[case] value: Value, #[case] said: &str) {
    let stage = Stage::new();
    let mut claims = stage.claims();
    *claims.pointer_mut(path).unwrap() = value;
    let reason = stage.refusal(&stage.signed(&Header::new(Algorithm::ES256), &claims));
    assert!(reason.contains(said), "{reason}");
}

#[test]
fn time_has_ten_seconds_of_grace_on_both_sides() {
    let stage = Stage::new();
    let token = stage.token("istio-ca");
    stage.wall.pass(HOUR + Duration::from_secs(10));
    assert!(stage.verifier.verify_now(&token).is_ok());
    stage.wall.pass(Duration::from_secs(1));
    assert!(stage.refusal(&token).contains("expired 11 seconds ago"));
}

#[test]
fn the_header_chooses_neither_algorithm_nor_key() {
    let stage = Stage::new();
    let claims = stage.claims();
    let good = stage.signed(&Header::new(Algorithm::ES256), &claims);
    let (_, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    // {"alg":"none"}, with and without what is left of a signature.
    for token in
        [format!("eyJhbGciOiJub25lIn0.{payload}."), format!("eyJhbGciOiJub25lIn0.{payload}.{signature}")]
    {
        stage.refusal(&token);
    }
    // Signed with the public key as if it were a shared secret.
    let jwks = fs::read(stage.keys.jwks()).unwrap();
    let secret = EncodingKey::from_secret(&jwks);
    let hmac = encode(&Header::new(Algorithm::HS256), &claims, &secret).unwrap();
    assert!(stage.refusal(&hmac).contains("no key"));
    // A key that the token brings itself, and one that the set does not have.
    let other = JwksKeys::open_or_create(stage.temp.path().join("other")).unwrap();
    let stolen = other.issue(&agent(), "istio-ca", stage.wall.now(), HOUR).unwrap();
    assert!(stage.refusal(&stolen).contains("no key"));
    let pem = fs::read(other.dir().join("token-key.pem")).unwrap();
    let key = EncodingKey::from_ec_pem(&pem).unwrap();
    let unnamed = encode(&Header::new(Algorithm::ES256), &claims, &key).unwrap();
    assert!(stage.refusal(&unnamed).contains("InvalidSignature"));
    let crit = Header { crit: Some(vec!["b64".to_owned()]), ..Header::new(Algorithm::ES256) };
    assert!(stage.refusal(&stage.signed(&crit, &claims)).contains("crit"));
}

#[test]
fn a_changed_key_file_counts_at_once_and_a_broken_one_does_not() {
    let stage = Stage::new();
    let other = JwksKeys::open_or_create(stage.temp.path().join("other")).unwrap();
    let (old, new) =
        (stage.token("istio-ca"), other.issue(&agent(), "istio-ca", stage.wall.now(), HOUR).unwrap());
    let believes = |token: &str| stage.verifier.verify_now(token).is_ok();
    assert!(believes(&old) && !believes(&new));
    fs::write(stage.keys.jwks(), "{").unwrap();
    assert!(believes(&old));
    fs::copy(other.jwks(), stage.keys.jwks()).unwrap();
    assert!(believes(&new) && !believes(&old));
}

#[rstest]
#[case::one(json!("istio-ca"), true)]
#[case::one_of_several(json!(["else", "istio-ca"]), true)]
#[case::another(json!("istio-c"), false)]
#[case::nobody(json!([]), false)]
#[case::empty(json!(""), false)]
#[case::a_number(json!(1), false)]
#[case::not_all_texts(json!(["istio-ca", 1]), false)]
fn an_audience_is_a_text_or_several(#[case] audience: Value, #[case] good: bool) {
    let stage = Stage::new();
    let mut claims = stage.claims();
    claims["aud"] = audience;
    let token = stage.signed(&Header::new(Algorithm::ES256), &claims);
    assert_eq!(stage.verifier.verify_now(&token).is_ok(), good);
}

/// As while an issuer changes its key: both are in the set, and either is found with its name or without.
#[test]
fn of_two_keys_the_right_one_is_used() {
    let stage = Stage::new();
    let other = JwksKeys::open_or_create(stage.temp.path().join("other")).unwrap();
    let mut set: Value = serde_json::from_slice(&fs::read(stage.keys.jwks()).unwrap()).unwrap();
    let more: Value = serde_json::from_slice(&fs::read(other.jwks()).unwrap()).unwrap();
    set["keys"].as_array_mut().unwrap().push(more["keys"][0].clone());
    let names: Vec<_> = (0..2).map(|n| set["keys"][n]["kid"].as_str().unwrap().to_owned()).collect();
    fs::write(stage.keys.jwks(), set.to_string()).unwrap();
    for (keys, kid) in [(&stage.keys, &names[0]), (&other, &names[1])] {
        let pem = fs::read(keys.dir().join("token-key.pem")).unwrap();
        let key = EncodingKey::from_ec_pem(&pem).unwrap();
        let token =
            |kid| encode(&Header { kid, ..Header::new(Algorithm::ES256) }, &stage.claims(), &key).unwrap();
        assert!(stage.verifier.verify_now(&token(None)).is_ok());
        assert!(stage.verifier.verify_now(&token(Some(kid.clone()))).is_ok());
        let wrong = names.iter().find(|name| *name != kid).unwrap().clone();
        assert!(stage.refusal(&token(Some(wrong))).contains("InvalidSignature"));
        assert!(stage.refusal(&token(Some("nobody".into()))).contains("no key 'nobody'"));
    }
}

#[test]
fn an_issuer_can_be_demanded() {
    let stage = Stage::new();
    let open =
        |issuer| JwksVerifier::open(stage.keys.jwks(), "istio-ca", Some(issuer), stage.wall.clock()).unwrap();
    assert!(open("weir-controller").verify_now(&stage.token("istio-ca")).is_ok());
    assert!(open("https://else").verify_now(&stage.token("istio-ca")).is_err());
}

#[rstest]
#[case("", "no JWK set")]
#[case(r#"{"keys": []}"#, "no RSA, EC")]
#[case(r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}]}"#, "no RSA, EC")]
#[case(r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "!", "y": "AA"}]}"#, "no RSA, EC")]
fn a_file_without_a_public_key_is_an_error(#[case] text: &str, #[case] said: &str) {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("jwks.json");
    fs::write(&path, text).unwrap();
    let error = JwksVerifier::open(&path, "x", None, system_clock()).err().unwrap().to_string();
    assert!(error.contains(said) && error.contains("jwks.json"), "{error}");
}

#[test]
fn keys_are_made_once_and_kept_private() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new();
    let again = JwksKeys::open_or_create(stage.keys.dir()).unwrap();
    let token = again.issue(&agent(), "istio-ca", stage.wall.now(), HOUR).unwrap();
    assert!(stage.verifier.verify_now(&token).is_ok());
    let key = stage.keys.dir().join("token-key.pem");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    fs::remove_file(&key).unwrap();
    let error = JwksKeys::open_or_create(stage.keys.dir()).err().unwrap().to_string();
    assert!(error.contains("token-key.pem is missing"), "{error}");
    let error = JwksKeys::open_or_create(stage.temp.path()).err().unwrap().to_string();
    assert!(error.contains("is not empty"), "{error}");
}

#[test]
fn damaged_tokens_give_an_answer() {
    let stage = Stage::new();
    let good = stage.token("istio-ca").into_bytes();
    for index in 0..good.len() {
        for byte in [b'A', b'.', b'=', 0] {
            let mut bytes = good.clone();
            if bytes[index] == byte {
                continue;
            }
            bytes[index] = byte;
            let token = String::from_utf8(bytes).unwrap();
            // The last character of a signature has bits that say nothing.
            assert!(stage.verifier.verify_now(&token).is_err() || index + 1 == good.len(), "{token}");
        }
        assert!(stage.verifier.verify_now(std::str::from_utf8(&good[..index]).unwrap()).is_err());
    }
}
