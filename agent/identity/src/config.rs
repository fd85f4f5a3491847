//! What can be set about certificates.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::Clock;

/// Settings of [`Certificates`](crate::Certificates).
#[derive(Clone)]
pub struct Config {
    /// Lifetime that is asked for. The authority may give less.
    pub lifetime: Duration,
    /// Share of a certificate's life after which it is renewed, 0 to 1.
    pub renew_fraction: f64,
    /// Largest deviation from `renew_fraction`, as a share of the life, so that certificates that were
    /// fetched together are not renewed together.
    pub renew_jitter: f64,
    /// How long to wait after a failed attempt.
    pub backoff: Backoff,
    /// Time that the authority has for one answer.
    pub attempt_timeout: Duration,
    /// Requests under way at once. Renewals may use half of them, so that a first certificate never
    /// waits behind a wave of renewals.
    pub concurrency: usize,
    /// Certificate revocation lists (PEM, or one in DER). Read at start and whenever the file changes.
    pub crl: Option<PathBuf>,
    /// How often the revocation file is looked at.
    pub crl_poll: Duration,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// Exponential backoff: `initial`, doubled per failure up to `cap`, each ± `jitter`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// Delay after the first failure.
    pub initial: Duration,
    /// Longest delay.
    pub cap: Duration,
    /// Largest deviation as a share of the delay, 0 to 1.
    pub jitter: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(24 * 3600),
            renew_fraction: 0.5,
            renew_jitter: 0.05,
            backoff: Backoff::default(),
            attempt_timeout: Duration::from_secs(10),
            concurrency: 8,
            crl: None,
            crl_poll: Duration::from_secs(5),
            clock: Arc::new(SystemTime::now),
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: Duration::from_millis(500), cap: Duration::from_secs(150), jitter: 0.2 }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("lifetime", &self.lifetime)
            .field("renew_fraction", &self.renew_fraction)
            .field("renew_jitter", &self.renew_jitter)
            .field("backoff", &self.backoff)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("concurrency", &self.concurrency)
            .field("crl", &self.crl)
            .field("crl_poll", &self.crl_poll)
            .finish_non_exhaustive()
    }
}
