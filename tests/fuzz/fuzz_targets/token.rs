//! A bearer token: as it is, and a good one with a piece of it replaced.
#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use weir_serve::auth::{Caller, JwksKeys, JwksVerifier, system_clock};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        // Nobody but the holder of the key makes one.
        assert!(STAGE.verifier.verify_now(text).is_err());
    }
    let [at, many, piece @ ..] = data else { return };
    let good = STAGE.token.as_str();
    let at = usize::from(*at) * good.len() / 256;
    let end = (at + usize::from(*many)).min(good.len());
    let piece = String::from_utf8_lossy(piece);
    let token = format!("{}{piece}{}", &good[..at], &good[end..]);
    match STAGE.verifier.verify_now(&token) {
        Ok(caller) => assert!(token == good && caller == caller_of_the_stage()),
        Err(_) => assert_ne!(token, good),
    }
});

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let dir = std::env::temp_dir().join(format!("weir-fuzz-token-{}", std::process::id()));
    let keys = JwksKeys::open_or_create(&dir).expect("keys");
    let verifier = JwksVerifier::open(keys.jwks(), "istio-ca", None, system_clock()).expect("a verifier");
    let lifetime = Duration::from_secs(30 * 24 * 3600);
    let token = keys.issue(&caller_of_the_stage(), "istio-ca", SystemTime::now(), lifetime).expect("a token");
    // The keys stay in memory: a file that is gone leaves those that were read before in use.
    let _ = std::fs::remove_dir_all(&dir);
    Stage { verifier, token }
});

struct Stage {
    verifier: JwksVerifier,
    token: String,
}

fn caller_of_the_stage() -> Caller {
    Caller { node: Some("a".into()), ..Caller::new("weir-system", "weir-agent") }
}
