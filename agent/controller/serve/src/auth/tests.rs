//! Tokens, good and bad; and what the layer makes of a request.

mod held;
mod layer;
mod tokens;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use weir_identity::Clock;

use super::{Caller, JwksKeys, JwksVerifier, PodRef};

const HOUR: Duration = Duration::from_secs(3600);

/// A clock that stands still until it is set.
#[derive(Clone)]
struct Wall(Arc<Mutex<SystemTime>>);

impl Wall {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_219_200))))
    }

    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }

    fn pass(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }

    fn clock(&self) -> Arc<dyn Clock> {
        let wall = self.clone();
        Arc::new(move || wall.now())
    }
}

/// Keys in a directory, and who believes what they sign.
struct Stage {
    keys: JwksKeys,
    verifier: JwksVerifier,
    wall: Wall,
    temp: TempDir,
}

impl Stage {
    fn new() -> Self {
        let temp = TempDir::new().unwrap();
        let keys = JwksKeys::open_or_create(temp.path().join("keys")).unwrap();
        let wall = Wall::new();
        let verifier = JwksVerifier::open(keys.jwks(), "istio-ca", None, wall.clock()).unwrap();
        Self { keys, verifier, wall, temp }
    }

    fn token(&self, audience: &str) -> String {
        self.keys.issue(&agent(), audience, self.wall.now(), HOUR).unwrap()
    }
}

fn agent() -> Caller {
    Caller {
        pod: Some(PodRef { name: "agent-x".into(), uid: "u1".into() }),
        node: Some("a".into()),
        ..Caller::new("weir-system", "weir-agent")
    }
}
