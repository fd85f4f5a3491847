//! How often one caller may ask: a bucket of tokens each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::auth::Caller;

/// Requests of one caller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// Per second, in the long run.
    pub per_second: f64,
    /// At once: a node that starts asks for each of its accounts.
    pub burst: f64,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { per_second: 20.0, burst: 1000.0 }
    }
}

/// The buckets of all callers.
pub(super) struct Buckets {
    limit: RateLimit,
    buckets: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Buckets {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { limit, buckets: Mutex::default() }
    }

    /// Whether the caller may ask now.
    pub(super) fn take(&self, caller: &Caller, now: Instant) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST {
            // Full ones need not be remembered.
            buckets.retain(|_, (level, at)| self.level(*level, *at, now) < self.limit.burst);
        }
        let (level, at) = buckets.entry(caller.to_string()).or_insert((self.limit.burst, now));
        *level = self.level(*level, *at, now);
        *at = now;
        let may = *level >= 1.0;
        if may {
            *level -= 1.0;
        }
        may
    }

    fn level(&self, level: f64, at: Instant, now: Instant) -> f64 {
        let gained = now.saturating_duration_since(at).as_secs_f64() * self.limit.per_second;
        (level + gained).min(self.limit.burst)
    }
}

/// Callers are proven, so there are not many more than pods.
const MOST: usize = 100_000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_caller_has_a_bucket_that_fills_again() {
        let buckets = Buckets::new(RateLimit { per_second: 2.0, burst: 3.0 });
        let (web, api) = (Caller::new("shop", "web"), Caller::new("shop", "api"));
        let start = Instant::now();
        let count = |caller: &Caller, at| (0..10).filter(|_| buckets.take(caller, at)).count();
        assert_eq!((count(&web, start), count(&api, start)), (3, 3));
        assert_eq!(count(&web, start + Duration::from_secs(1)), 2);
        assert_eq!(count(&web, start + Duration::from_secs(60)), 3);
    }
}
