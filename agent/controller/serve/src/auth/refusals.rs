//! What is said of those who are not let in: enough to find out why, and not as much as a stranger likes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts lines of the log by the second.
#[derive(Default)]
pub(super) struct Refusals(Mutex<Second>);

#[derive(Default)]
struct Second {
    since: Option<Instant>,
    said: u32,
    unsaid: u64,
}

impl Refusals {
    /// Whether one more may be said, and how many were not said since the last.
    pub(super) fn say(&self) -> Option<u64> {
        let now = Instant::now();
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if second.since.is_none_or(|since| now.duration_since(since) >= Duration::from_secs(1)) {
            (second.since, second.said) = (Some(now), 0);
        }
        if second.said >= LINES {
            second.unsaid += 1;
            return None;
        }
        second.said += 1;
        Some(std::mem::take(&mut second.unsaid))
    }
}

/// In a second.
const LINES: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_said_in_numbers() {
        let refusals = Refusals::default();
        let said = (0..1000).filter_map(|_| refusals.say()).collect::<Vec<_>>();
        assert_eq!(said, [0; LINES as usize]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(refusals.say(), Some(1000 - u64::from(LINES)));
        assert_eq!(refusals.say(), Some(0));
    }
}
