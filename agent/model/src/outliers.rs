//! Which endpoints of a port failed again and again, and are left out of the choice for a while.
//!
//! The time is whoever asks' to say: there is no timer. Whoever comes after the time to look looks, as at a waypoint.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::OutlierPolicy;

/// What is known of the endpoints of one port, by the workload's uid.
#[derive(Debug, Default)]
pub struct Outliers {
    /// Of those that failed, or were left out lately.
    records: HashMap<Arc<str>, Record>,
    ejected: Ejected,
    look_due: Option<Instant>,
}

/// Those that are left out; shared with whoever chooses.
pub type Ejected = Arc<BTreeSet<Arc<str>>>;

/// What an endpoint did lately.
#[derive(Debug, Default)]
struct Record {
    /// In a row.
    failures: u32,
    /// How often it was ejected, less one for each interval in which it was not.
    ejections: u32,
    until: Option<Instant>,
}

/// The endpoints of the service as they are now.
pub trait Members {
    /// How many there are.
    fn count(&self) -> usize;
    /// Whether it is one of them.
    fn has(&self, uid: &str) -> bool;
}

impl Outliers {
    /// Who is left out now.
    pub fn ejected(&mut self, policy: &OutlierPolicy, now: Instant) -> Ejected {
        self.look(policy, now);
        self.ejected.clone()
    }

    /// Whether nothing is known of anybody.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// A connection to the endpoint was made.
    pub fn succeeded(&mut self, uid: &str) {
        if let Some(record) = self.records.get_mut(uid) {
            record.failures = 0;
            if record.is_over() {
                self.records.remove(uid);
            }
        }
    }

    /// A connection to the endpoint could not be made. Answers for how long it is left out, if it is for this failure.
    pub fn failed(
        &mut self,
        policy: &OutlierPolicy,
        uid: &Arc<str>,
        members: &dyn Members,
        now: Instant,
    ) -> Option<Duration> {
        self.look(policy, now);
        // Of endpoints that are gone nothing needs to be known, and they do not count as left out.
        self.records.retain(|uid, _| members.has(uid));
        if !members.has(uid) {
            return None;
        }
        let record = self.records.entry(uid.clone()).or_default();
        record.failures = record.failures.saturating_add(1);
        let enough = record.until.is_none() && record.failures >= policy.consecutive_failures;
        let left_out = self.records.values().filter(|record| record.until.is_some()).count();
        let record = self.records.get_mut(uid).filter(|_| enough)?;
        record.failures = 0;
        let time = policy.may_eject(left_out, members.count()).then(|| record.eject(policy, now));
        self.collect();
        time
    }

    fn look(&mut self, policy: &OutlierPolicy, now: Instant) {
        if self.records.is_empty() {
            self.look_due = None;
            return;
        }
        // Looks go on as they were planned, unless the interval is shorter by now.
        let next = now + policy.interval;
        let due = self.look_due.map_or(next, |due| due.min(next));
        self.look_due = Some(due);
        let Some(late) = now.checked_duration_since(due) else { return };
        let intervals = 1 + late.as_nanos() / policy.interval.as_nanos().max(1);
        let intervals = u32::try_from(intervals).unwrap_or(u32::MAX);
        self.look_due = Some(next);
        self.records.values_mut().for_each(|record| record.look(now, intervals));
        self.records.retain(|_, record| !record.is_over());
        self.collect();
    }

    fn collect(&mut self) {
        let left_out = self.records.iter().filter(|(_, record)| record.until.is_some());
        let ejected: BTreeSet<Arc<str>> = left_out.map(|(uid, _)| uid.clone()).collect();
        if ejected != *self.ejected {
            self.ejected = Arc::new(ejected);
        }
    }
}

impl Record {
    /// Leaves the endpoint out, the longer the more often it happened.
    fn eject(&mut self, policy: &OutlierPolicy, now: Instant) -> Duration {
        self.ejections = self.ejections.saturating_add(1);
        let longest = LONGEST.max(policy.base_ejection_time);
        let time = policy.base_ejection_time.saturating_mul(self.ejections).min(longest);
        // An instant that no clock reaches would be for ever; so long nobody waits.
        self.until = now.checked_add(time).or(Some(now));
        time
    }

    fn look(&mut self, now: Instant, intervals: u32) {
        match self.until {
            Some(until) if until <= now => (self.until, self.failures) = (None, 0),
            Some(_) => {}
            None => self.ejections = self.ejections.saturating_sub(intervals),
        }
    }

    fn is_over(&self) -> bool {
        self.failures == 0 && self.ejections == 0 && self.until.is_none()
    }
}

/// Envoy's `max_ejection_time`, unless one time alone is longer.
const LONGEST: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests;
