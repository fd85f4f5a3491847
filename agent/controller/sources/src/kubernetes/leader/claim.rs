//! Whose turn it is. No clock of another machine is believed: a lease is old when it has not changed for as long as it
//! lasts, by our own clock.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;
use tokio::time::Instant;

use super::LeaderConfig;

/// What to do with the lease that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is another's.
    Wait,
    /// It is free.
    Take,
    /// It is ours.
    Renew,
}

/// What one replica knows of the lease.
#[derive(Debug)]
pub(super) struct Claim {
    identity: String,
    duration: Duration,
    deadline: Duration,
    /// The lease as it was last seen, and since when it is like that.
    seen: Option<(LeaseSpec, Instant)>,
    /// When the last write of ours began that succeeded.
    held: Option<Instant>,
}

impl Claim {
    pub(super) fn new(config: &LeaderConfig) -> Self {
        Self {
            identity: config.identity.clone(),
            duration: config.duration,
            deadline: config.deadline,
            seen: None,
            held: None,
        }
    }

    /// The lease was read.
    pub(super) fn look(&mut self, now: Instant, exists: bool, spec: Option<&LeaseSpec>) -> Step {
        let spec = spec.cloned().unwrap_or_default();
        if !exists {
            self.held = None;
            return Step::Take;
        }
        if spec.holder_identity.as_deref() == Some(&self.identity) {
            return Step::Renew;
        }
        self.held = None;
        if spec.holder_identity.as_deref().is_none_or(str::is_empty) {
            return Step::Take;
        }
        let since = match &self.seen {
            Some((seen, since)) if *seen == spec => *since,
            _ => now,
        };
        let lasts = spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok());
        let lasts = lasts.map_or(self.duration, Duration::from_secs);
        self.seen = Some((spec, since));
        if now - since >= lasts { Step::Take } else { Step::Wait }
    }

    /// It is written: ours from the moment the write began.
    pub(super) fn written(&mut self, began: Instant) {
        self.held = Some(began);
        self.seen = None;
    }

    /// Somebody else wrote it.
    pub(super) fn lost(&mut self) {
        self.held = None;
    }

    pub(super) fn leads(&self, now: Instant) -> bool {
        self.remaining(now).is_some_and(|left| left > Duration::ZERO)
    }

    /// How long we still may act without renewing; `None` if we may not.
    pub(super) fn remaining(&self, now: Instant) -> Option<Duration> {
        let left = (self.held? + self.deadline).saturating_duration_since(now);
        (left > Duration::ZERO).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Claim {
        Claim::new(&LeaderConfig::new("n", "l", "me"))
    }

    fn held_by(holder: &str, transitions: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn a_free_lease_is_taken_and_an_own_one_renewed() {
        let now = Instant::now();
        assert_eq!(claim().look(now, false, None), Step::Take);
        assert_eq!(claim().look(now, true, None), Step::Take);
        assert_eq!(claim().look(now, true, Some(&held_by("", 1))), Step::Take);
        assert_eq!(claim().look(now, true, Some(&held_by("me", 1))), Step::Renew);
    }

    #[test]
    fn anothers_is_taken_only_when_it_has_not_moved_for_as_long_as_it_lasts() {
        let (mut claim, start) = (claim(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(claim.look(at(0), true, Some(&held_by("other", 1))), Step::Wait);
        assert_eq!(claim.look(at(14), true, Some(&held_by("other", 1))), Step::Wait);
        assert_eq!(claim.look(at(14), true, Some(&held_by("other", 2))), Step::Wait, "it moved");
        assert_eq!(claim.look(at(28), true, Some(&held_by("other", 2))), Step::Wait);
        assert_eq!(claim.look(at(29), true, Some(&held_by("other", 2))), Step::Take);
    }

    #[test]
    fn who_cannot_renew_stops_before_another_may_begin() {
        let (mut claim, start) = (claim(), Instant::now());
        claim.written(start);
        assert!(claim.leads(start + Duration::from_secs(9)));
        assert!(!claim.leads(start + Duration::from_secs(10)));
        claim.written(start + Duration::from_secs(9));
        assert!(claim.leads(start + Duration::from_secs(18)));
        claim.lost();
        assert!(!claim.leads(start + Duration::from_secs(18)));
    }
}
