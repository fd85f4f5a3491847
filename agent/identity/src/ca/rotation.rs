//! When a root changes: pure, with the time as a parameter.
//!
//! ```text
//!   Stable --announce--> Announced --switch--> Switched --finish--> Stable
//!                        the new root is       it signs; the old
//!                        trusted, the old      one is trusted
//!                        one signs             still
//! ```
//!
//! Roots travel with certificates only, so a workload learns of a root at its next certificate at the latest. One whole
//! lifetime after the announcement there is nobody left who does not trust the new root, and one after the switch there is
//! no certificate of the old one left. That is why each phase lasts at least the longest lifetime of a certificate.

use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

/// Where a rotation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// One root, which signs.
    Stable,
    /// The next root is trusted and signs nothing yet.
    Announced {
        /// Since when.
        since: SystemTime,
    },
    /// The next root signs, and the one before it is still trusted.
    Switched {
        /// Since when.
        since: SystemTime,
    },
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Announce,
    Switch,
    Finish,
}

/// When the phases follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RotationPolicy {
    /// How long a phase lasts at least: the longest lifetime of a certificate.
    pub overlap: Duration,
    /// Share of a root's life at whose beginning it is left alone; the rest is for its rotation.
    pub keep: f64,
}

impl Default for RotationPolicy {
    /// 90 days, which is the longest lifetime that is given, and the last 20 % of the root's life.
    fn default() -> Self {
        Self { overlap: super::issue::MAX_LIFETIME, keep: 0.8 }
    }
}

impl RotationPolicy {
    /// The step that is due, if one is. `validity` is that of the root.
    pub(super) fn due(
        &self,
        phase: Phase,
        validity: &RangeInclusive<SystemTime>,
        now: SystemTime,
    ) -> Option<Step> {
        let is_over = |since: SystemTime| now.duration_since(since).is_ok_and(|spent| spent >= self.overlap);
        match phase {
            Phase::Stable => (now >= self.end_of_peace(validity)).then_some(Step::Announce),
            Phase::Announced { since } => is_over(since).then_some(Step::Switch),
            Phase::Switched { since } => is_over(since).then_some(Step::Finish),
        }
    }

    fn end_of_peace(&self, validity: &RangeInclusive<SystemTime>) -> SystemTime {
        let (from, to) = (*validity.start(), *validity.end());
        let life = to.duration_since(from).unwrap_or_default();
        from + life.mul_f64(self.keep.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::Phase::{Announced, Stable, Switched};
    use super::*;

    const T0: SystemTime = SystemTime::UNIX_EPOCH;

    fn at(days: u64) -> SystemTime {
        T0 + Duration::from_secs(days * 24 * 3600)
    }

    #[rstest]
    #[case::young(Stable, 79, None)]
    #[case::in_its_last_fifth(Stable, 80, Some(Step::Announce))]
    #[case::expired(Stable, 200, Some(Step::Announce))]
    #[case::just_announced(Announced { since: at(80) }, 80, None)]
    #[case::not_everybody_knows(Announced { since: at(80) }, 84, None)]
    #[case::everybody_knows(Announced { since: at(80) }, 85, Some(Step::Switch))]
    #[case::old_certificates_live(Switched { since: at(85) }, 89, None)]
    #[case::old_certificates_are_gone(Switched { since: at(85) }, 90, Some(Step::Finish))]
    #[case::the_clock_was_set_back(Switched { since: at(85) }, 3, None)]
    fn steps_are_due(#[case] phase: Phase, #[case] day: u64, #[case] step: Option<Step>) {
        let policy = RotationPolicy { overlap: Duration::from_secs(5 * 24 * 3600), keep: 0.8 };
        assert_eq!(policy.due(phase, &(at(0)..=at(100)), at(day)), step);
    }
}
