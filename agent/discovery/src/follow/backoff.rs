//! How long to wait before the control plane is asked again.

use std::time::Duration;

/// Doubles from [`FIRST`] to [`LAST`], and starts again from the beginning once a stream was of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(FIRST)
    }

    /// The next wait starts from the beginning.
    pub(crate) fn reset(&mut self) {
        self.0 = FIRST;
    }

    /// How long to wait now. `point` in 0..1 spreads those who lost one control plane at one moment: up to a third less.
    pub(crate) fn next(&mut self, point: f64) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(LAST);
        wait.mul_f64(1.0 - point.clamp(0.0, 1.0) / 3.0)
    }
}

/// A restart of the control plane costs no more than this.
const FIRST: Duration = Duration::from_millis(10);
/// A stream that lived shorter is no reason to hurry: whoever cuts them at once would be asked a hundred times a second.
pub(super) const USEFUL: Duration = Duration::from_secs(1);
/// A control plane that is away is asked four times a minute.
const LAST: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_to_fifteen_seconds_and_begins_again() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..13).map(|_| backoff.next(0.0).as_millis()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240, 15_000, 15_000]);
        backoff.reset();
        assert_eq!(backoff.next(0.0), FIRST);
    }

    #[test]
    fn jitter_only_shortens() {
        for point in [0.0, 0.5, 1.0, 7.0] {
            let wait = Backoff::new().next(point);
            assert!(wait <= FIRST && wait >= FIRST * 2 / 3, "{point} {wait:?}");
        }
    }
}
