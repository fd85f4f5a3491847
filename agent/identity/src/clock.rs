//! Wall-clock time as a parameter.
//!
//! X.509 validity is wall-clock time, timers are not. Everything here that asks "is it still valid" asks
//! this clock, so that a test can move it together with tokio's paused time.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Tells the wall-clock time. Every `Fn() -> SystemTime` is one; the usual one is `SystemTime::now`.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> SystemTime;
}

impl<F: Fn() -> SystemTime + Send + Sync> Clock for F {
    fn now(&self) -> SystemTime {
        self()
    }
}

/// A [`Clock`] that rustls can hold.
#[derive(Clone)]
pub struct TlsClock(pub Arc<dyn Clock>);

impl TimeProvider for TlsClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix(self.0.now()))
    }
}

impl fmt::Debug for TlsClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsClock")
    }
}

/// Seconds since 1970, with everything before that at 1970.
pub(crate) fn unix(at: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(at.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// The `SystemTime` of an X.509 time, which is in whole seconds.
pub(crate) fn from_timestamp(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let at = match seconds < 0 {
        true => UNIX_EPOCH.checked_sub(distance),
        false => UNIX_EPOCH.checked_add(distance),
    };
    at.unwrap_or(UNIX_EPOCH)
}

/// RFC 3339 in UTC to the second, for texts that people read.
pub(crate) fn text(at: SystemTime) -> String {
    let whole = OffsetDateTime::from(at).replace_nanosecond(0);
    let formatted = whole.ok().and_then(|at| at.format(&Rfc3339).ok());
    formatted.unwrap_or_else(|| format!("{at:?}"))
}
