//! How long to wait before trying again.

use std::time::Duration;

/// Doubles from a tenth of a second to a quarter of a minute. What it gives is spread, so that the watchers of all kinds and
/// replicas do not come back at once.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next pause. `spread` is any number; half of the pause depends on it.
    pub(super) fn next(&mut self, spread: u32) -> Duration {
        let pause = self.pause(spread);
        self.failures = self.failures.saturating_add(1);
        pause
    }

    /// The same, without counting.
    pub(super) fn pause(&self, spread: u32) -> Duration {
        let full = (FIRST * 2u32.pow(self.failures.min(12))).min(LAST);
        full / 2 + full / 2 * (spread % 1000) / 1000
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A number that differs from call to call.
pub(super) fn spread() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    (RandomState::new().hash_one(0) & 0xffff) as u32
}

const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_its_limit_and_begins_anew() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = (0..10).map(|_| backoff.next(0).as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 3200, 6400, 7500, 7500]);
        assert_eq!(backoff.next(999).as_millis(), 14_992);
        backoff.reset();
        assert_eq!(backoff.next(0).as_millis(), 50);
    }

    /// What an API server that is away for ten minutes is asked meanwhile, for each kind, and how soon after.
    #[test]
    fn ten_minutes_of_silence() {
        for (spread, most) in [(0, 88), (500, 62), (999, 48)] {
            let mut backoff = Backoff::default();
            let (mut passed, mut tries) = (Duration::ZERO, 0);
            while passed < Duration::from_secs(600) {
                let pause = backoff.next(spread);
                assert!(pause <= LAST, "{pause:?}");
                passed += pause;
                tries += 1;
            }
            assert!(tries <= most && tries > most / 2, "{spread}: {tries}");
        }
    }
}
