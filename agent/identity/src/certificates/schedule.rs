//! When to ask again: pure arithmetic on times.

use std::time::{Duration, SystemTime};

use crate::{Backoff, Config};

/// When a certificate is to be renewed. `random` is in -1..=1.
///
/// Never sooner than the first backoff from `now`: an authority that is about to expire itself gives ever
/// shorter lives, and renewing at half of each would become a storm.
pub(super) fn renew_at(
    not_before: SystemTime,
    not_after: SystemTime,
    now: SystemTime,
    config: &Config,
    random: f64,
) -> SystemTime {
    // Authorities date certificates back for peers whose clocks are late: that part of the life was never ours.
    let from = not_before.max(now);
    let life = not_after.duration_since(from).unwrap_or_default();
    let share = (config.renew_fraction + config.renew_jitter * random).clamp(0.0, 1.0);
    (from + life.mul_f64(share)).max(now + config.backoff.initial)
}

/// How long to wait after `attempts` failures in a row. `random` is in -1..=1. A certificate that is valid
/// for `left` more gets an attempt at its end at the latest.
pub(super) fn retry_delay(attempts: u32, backoff: &Backoff, left: Option<Duration>, random: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(MAX_DOUBLINGS);
    let delay = backoff.initial.saturating_mul(1 << doublings).min(backoff.cap);
    let delay = delay.mul_f64((1.0 + backoff.jitter * random).max(0.0)).min(backoff.cap);
    match left {
        Some(left) if !left.is_zero() => delay.min(left),
        _ => delay,
    }
}

/// Far beyond any cap, and far from an overflow.
const MAX_DOUBLINGS: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn renewal_is_at_half_life_with_jitter_on_both_sides() {
        let start = SystemTime::UNIX_EPOCH + 1000 * HOUR;
        let config = Config { renew_jitter: 0.05, ..Config::default() };
        for (random, hours) in [(0.0, 50), (1.0, 55), (-1.0, 45)] {
            let at = renew_at(start, start + 100 * HOUR, start, &config, random);
            let error = at.duration_since(start + hours * HOUR).unwrap_or_default();
            assert!(error < Duration::from_secs(1), "{random}: {at:?}");
        }
    }

    #[test]
    fn a_certificate_that_comes_used_up_is_not_renewed_in_a_loop() {
        let start = SystemTime::UNIX_EPOCH + 1000 * HOUR;
        let config = Config::default();
        let now = start + HOUR;
        assert_eq!(renew_at(start, start + HOUR, now, &config, 0.0), now + config.backoff.initial);
    }

    #[test]
    fn what_was_over_when_it_came_does_not_count() {
        let now = SystemTime::UNIX_EPOCH + 1000 * HOUR;
        let (issued, end) = (now - Duration::from_secs(120), now + Duration::from_secs(8));
        let config = Config { renew_jitter: 0.0, ..Config::default() };
        assert_eq!(renew_at(issued, end, now, &config, 0.0), now + Duration::from_secs(4));
    }

    #[test]
    fn backoff_doubles_to_the_cap() {
        let backoff = Backoff { initial: Duration::from_secs(1), cap: Duration::from_secs(10), jitter: 0.0 };
        let cases = [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (60, 10), (u32::MAX, 10)];
        for (attempts, seconds) in cases {
            assert_eq!(retry_delay(attempts, &backoff, None, 0.0), Duration::from_secs(seconds));
        }
    }

    #[test]
    fn backoff_ends_with_the_certificate_and_jitter_stays_under_the_cap() {
        let backoff = Backoff { initial: Duration::from_secs(8), cap: Duration::from_secs(8), jitter: 0.5 };
        let left = Some(Duration::from_secs(3));
        assert_eq!(retry_delay(1, &backoff, left, 0.0), Duration::from_secs(3));
        assert_eq!(retry_delay(1, &backoff, Some(Duration::ZERO), 0.0), Duration::from_secs(8));
        assert_eq!(retry_delay(1, &backoff, None, -1.0), Duration::from_secs(4));
        assert_eq!(retry_delay(1, &backoff, None, 1.0), Duration::from_secs(8));
    }
}
