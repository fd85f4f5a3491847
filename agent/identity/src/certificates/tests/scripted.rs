//! A CA with moods, and a manager that uses it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use weir_model::Identity;

use crate::fixture::{Wall, id};
use crate::{
    Backoff, CaError, CertificateAuthority, Certificates, Clock, Config, FileAuthority, RequestError,
    SignFuture, SignedChain,
};

/// How the CA answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mood {
    Sign,
    Refuse,
    Hang,
    /// Answers when a permit is given.
    Gate,
    OtherIdentity,
    OtherKey,
    OtherRoot,
    NoRoots,
    Nothing,
}

/// Signs with a directory CA, or does something else.
pub(super) struct Scripted {
    inner: FileAuthority,
    other: FileAuthority,
    pub(super) mood: Mutex<Mood>,
    pub(super) gate: Semaphore,
    pub(super) generation: AtomicU64,
    pub(super) in_flight: AtomicUsize,
    pub(super) most_in_flight: AtomicUsize,
    calls: Mutex<Vec<Instant>>,
    dir: TempDir,
}

/// A manager with its CA and clock.
pub(super) struct Stage {
    pub(super) certificates: Arc<Certificates>,
    pub(super) ca: Arc<Scripted>,
    pub(super) wall: Wall,
    pub(super) clock: Arc<dyn Clock>,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(|_, _| {})
    }

    /// No jitter, backoff 1, 2, 4, 8, 8.. seconds; `change` what else.
    pub(super) fn with(change: impl FnOnce(&mut Config, &Scripted)) -> Self {
        let wall = Wall::new();
        let clock = wall.with_tokio();
        let ca = Arc::new(Scripted::new(clock.clone()));
        let backoff = Backoff { initial: Duration::from_secs(1), cap: Duration::from_secs(8), jitter: 0.0 };
        let mut config = Config { renew_jitter: 0.0, backoff, clock: clock.clone(), ..Config::default() };
        change(&mut config, &ca);
        let certificates = Certificates::new(ca.clone(), config).unwrap();
        Self { certificates, ca, wall, clock }
    }

    pub(super) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// The serial of `web`'s certificate, or the error.
    pub(super) fn serial(&self) -> Result<String, String> {
        let current = self.certificates.current(&id("web"));
        current.map(|held| held.serial().to_owned()).map_err(|error| error.to_string())
    }

    /// Lets time pass, and everything that is due happen.
    pub(super) async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
        self.settle().await;
    }

    /// Signing goes through the blocking pool, which paused time waits for only while somebody sleeps.
    pub(super) async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

impl Scripted {
    fn new(clock: Arc<dyn Clock>) -> Self {
        let dir = TempDir::new().unwrap();
        let open = |name| FileAuthority::open_or_create_at(dir.path().join(name), clock.clone()).unwrap();
        Self {
            inner: open("ca"),
            other: open("other"),
            mood: Mutex::new(Mood::Sign),
            gate: Semaphore::new(0),
            generation: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
            calls: Mutex::default(),
            dir,
        }
    }

    pub(super) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    /// Seconds between calls.
    pub(super) fn gaps(&self) -> Vec<u64> {
        let calls = self.calls.lock().unwrap();
        calls.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect()
    }

    /// Puts another CA into the directory.
    pub(super) fn replace(&self) {
        for name in crate::ca::FILES {
            let from = self.dir.path().join("other").join(name);
            std::fs::copy(from, self.dir.path().join("ca").join(name)).unwrap();
        }
        self.generation.fetch_add(1, SeqCst);
    }

    pub(super) fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    async fn answer(
        &self,
        csr: Vec<u8>,
        identity: Identity,
        lifetime: Duration,
    ) -> Result<SignedChain, CaError> {
        let mood = *self.mood.lock().unwrap();
        let sign = |csr, identity| self.inner.sign(csr, identity, lifetime);
        match mood {
            Mood::Sign => sign(csr, identity).await,
            Mood::Refuse => {
                let reason = RequestError::Remote("not today".to_owned());
                Err(CaError::Refused { authority: "scripted".to_owned(), identity, reason })
            }
            Mood::Hang => std::future::pending().await,
            Mood::Gate => {
                self.gate.acquire().await.unwrap().forget();
                sign(csr, identity).await
            }
            Mood::OtherIdentity => sign(csr, id("thief")).await,
            Mood::OtherKey => {
                let other = crate::request::KeyAndRequest::new(&identity).unwrap();
                sign(other.csr_der, identity).await
            }
            Mood::OtherRoot => {
                let roots = self.other.sign(csr.clone(), identity.clone(), lifetime).await?.roots;
                Ok(SignedChain { roots, ..sign(csr, identity).await? })
            }
            Mood::NoRoots => Ok(SignedChain { roots: Vec::new(), ..sign(csr, identity).await? }),
            Mood::Nothing => Ok(SignedChain { chain: Vec::new(), ..sign(csr, identity).await? }),
        }
    }
}

impl CertificateAuthority for Scripted {
    fn sign(&self, csr: Vec<u8>, identity: Identity, lifetime: Duration) -> SignFuture<'_> {
        self.calls.lock().unwrap().push(Instant::now());
        Box::pin(async move {
            let now = self.in_flight.fetch_add(1, SeqCst) + 1;
            self.most_in_flight.fetch_max(now, SeqCst);
            let answer = self.answer(csr, identity, lifetime).await;
            self.in_flight.fetch_sub(1, SeqCst);
            answer
        })
    }

    fn generation(&self) -> u64 {
        self.generation.load(SeqCst)
    }
}
