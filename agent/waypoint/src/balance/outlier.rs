//! Outlier detection: endpoints that fail again and again are left out for a while.

use std::time::{Duration, Instant};

use http::StatusCode;
use weir_proto::l7;

use crate::route::{Rejection, grpc, limit};

/// How a request ended, as far as it says something of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With a response of this status.
    Status(StatusCode),
    /// With a response that says this `grpc-status`.
    Grpc(u32),
    /// Without one: no connection, a reset, no time left.
    LocalFailure,
}

/// A compiled `OutlierDetection`.
#[derive(Debug, Clone)]
pub(super) struct Policy {
    errors: u32,
    gateway_errors: u32,
    local_failures: u32,
    split: bool,
    statuses: Vec<std::ops::RangeInclusive<u32>>,
    pub(super) interval: Duration,
    base: Duration,
    max_percent: u32,
    pub(super) min_health_percent: u32,
}

/// What an endpoint did lately.
#[derive(Debug, Default)]
pub(super) struct Record {
    errors: u32,
    gateway_errors: u32,
    local_failures: u32,
    /// How often it was ejected, less one for each look at which it was not.
    ejections: u32,
    until: Option<Instant>,
}

impl Policy {
    pub(super) fn compile(form: &l7::OutlierDetection) -> Result<Policy, Rejection> {
        Ok(Policy {
            errors: form.consecutive_5xx,
            gateway_errors: form.consecutive_gateway_errors,
            local_failures: form.consecutive_local_failures,
            split: form.split_local_failures,
            statuses: form.error_statuses.iter().map(|range| range.first..=range.last).collect(),
            interval: limit("interval", form.interval.as_ref())?.unwrap_or(INTERVAL),
            base: limit("base_ejection_time", form.base_ejection_time.as_ref())?.unwrap_or(BASE),
            max_percent: form.max_ejection_percent,
            min_health_percent: form.min_health_percent,
        })
    }

    /// Whether one more of `all` endpoints may be ejected: the first always, others up to the percentage.
    pub(super) fn may_eject(&self, ejected: usize, all: usize) -> bool {
        ejected == 0 || (ejected as u64 + 1) * 100 <= u64::from(self.max_percent) * all as u64
    }

    fn is_error(&self, status: StatusCode) -> bool {
        let status = u32::from(status.as_u16());
        match self.statuses.is_empty() {
            true => (500..600).contains(&status),
            false => self.statuses.iter().any(|range| range.contains(&status)),
        }
    }
}

impl Record {
    /// Counts an outcome; whether the endpoint is to be ejected for it.
    pub(super) fn note(&mut self, policy: &Policy, outcome: Outcome) -> bool {
        let status = match outcome {
            Outcome::Status(status) => status,
            Outcome::Grpc(code) => grpc::to_http(code),
            Outcome::LocalFailure if policy.split => {
                return count(&mut self.local_failures, policy.local_failures, true);
            }
            // What a client would have seen.
            Outcome::LocalFailure => StatusCode::SERVICE_UNAVAILABLE,
        };
        if outcome != Outcome::LocalFailure {
            self.local_failures = 0;
        }
        let local = outcome == Outcome::LocalFailure;
        let gateway = matches!(status.as_u16(), 502..=504);
        // Each is counted, also if one is enough.
        let errors = count(&mut self.errors, policy.errors, local || policy.is_error(status));
        count(&mut self.gateway_errors, policy.gateway_errors, gateway) || errors
    }

    /// Leaves the endpoint out, the longer the more often it happened.
    pub(super) fn eject(&mut self, policy: &Policy, now: Instant) {
        self.ejections = self.ejections.saturating_add(1);
        let longest = LONGEST.max(policy.base);
        let time = policy.base.saturating_mul(self.ejections).min(longest);
        // An instant that no clock reaches would be for ever; so long nobody waits.
        self.until = now.checked_add(time).or(Some(now));
    }

    /// A look at the end of as many intervals: whether the endpoint comes back.
    pub(super) fn look(&mut self, now: Instant, intervals: u32) -> bool {
        match self.until {
            Some(until) if until <= now => {
                *self = Record { ejections: self.ejections, ..Record::default() };
                true
            }
            Some(_) => false,
            None => {
                self.ejections = self.ejections.saturating_sub(intervals);
                false
            }
        }
    }

    /// It comes back whatever it did: nobody looks any longer.
    pub(super) fn forget(&mut self) {
        *self = Record::default();
    }
}

/// Counts errors in a row up to `most`, where it begins anew and says so. 0: never.
fn count(errors: &mut u32, most: u32, error: bool) -> bool {
    *errors = if error { errors.saturating_add(1) } else { 0 };
    let enough = most > 0 && *errors >= most;
    if enough {
        *errors = 0;
    }
    enough
}

const INTERVAL: Duration = Duration::from_secs(10);
const BASE: Duration = Duration::from_secs(30);
/// Envoy's `max_ejection_time`.
const LONGEST: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use Outcome::{Grpc, LocalFailure};
    use rstest::rstest;

    use super::*;

    fn form(errors: u32, gateway: u32, local: u32, split: bool) -> l7::OutlierDetection {
        l7::OutlierDetection {
            consecutive_5xx: errors,
            consecutive_gateway_errors: gateway,
            consecutive_local_failures: local,
            split_local_failures: split,
            ..Default::default()
        }
    }

    fn status(code: u16) -> Outcome {
        Outcome::Status(StatusCode::from_u16(code).unwrap())
    }

    #[rstest]
    #[case::in_a_row(form(3, 0, 0, false), &[status(500), status(503), status(599)], true)]
    #[case::too_few(form(3, 0, 0, false), &[status(500), status(500)], false)]
    #[case::interrupted(form(2, 0, 0, false), &[status(500), status(404), status(500)], false)]
    #[case::never(form(0, 0, 0, false), &[status(500), status(500), status(500)], false)]
    #[case::gateway(form(0, 2, 0, false), &[status(502), status(504)], true)]
    #[case::no_gateway(form(0, 2, 0, false), &[status(502), status(500), status(504)], false)]
    #[case::local_counts_as_both(form(2, 0, 0, false), &[status(500), LocalFailure], true)]
    #[case::local_counts_as_gateway(form(0, 2, 0, false), &[status(502), LocalFailure], true)]
    #[case::local_not_split(form(0, 0, 1, false), &[LocalFailure], false)]
    #[case::split(form(1, 1, 2, true), &[LocalFailure, LocalFailure], true)]
    #[case::split_is_no_error(form(1, 1, 2, true), &[LocalFailure], false)]
    #[case::split_interrupted(form(9, 9, 2, true), &[LocalFailure, status(500), LocalFailure], false)]
    #[case::split_does_not_interrupt(form(2, 0, 9, true), &[status(500), LocalFailure, status(500)], true)]
    #[case::grpc(form(0, 2, 0, false), &[Grpc(14), Grpc(14)], true)]
    #[case::grpc_of_the_client(form(1, 1, 0, false), &[Grpc(5), Grpc(0), Grpc(3)], false)]
    fn says_who_goes(
        #[case] form: l7::OutlierDetection,
        #[case] outcomes: &[Outcome],
        #[case] expected: bool,
    ) {
        let (policy, mut record) = (Policy::compile(&form).unwrap(), Record::default());
        let (last, first) = outcomes.split_last().unwrap();
        assert!(first.iter().all(|outcome| !record.note(&policy, *outcome)));
        assert_eq!(record.note(&policy, *last), expected);
    }

    #[test]
    fn other_statuses_may_be_errors() {
        let ranges = [(429, 429), (500, 501)];
        let error_statuses = ranges.map(|(first, last)| l7::StatusRange { first, last }).to_vec();
        let form = l7::OutlierDetection { error_statuses, ..form(1, 0, 0, false) };
        let policy = Policy::compile(&form).unwrap();
        let goes = |outcome| Record::default().note(&policy, outcome);
        let outcomes = [status(429), status(501), status(502), status(200), LocalFailure];
        assert_eq!(outcomes.map(goes), [true, true, false, false, true]);
    }

    #[rstest]
    #[case::the_first(0, 0, 1, true)]
    #[case::no_second(0, 1, 100, false)]
    #[case::tenth(10, 0, 10, true)]
    #[case::no_more_than_a_tenth(10, 1, 10, false)]
    #[case::up_to_half(50, 1, 4, true)]
    #[case::no_more_than_half(50, 2, 4, false)]
    #[case::half_of_three_is_one(50, 1, 3, false)]
    #[case::all(100, 3, 4, true)]
    fn percentage(#[case] max: u32, #[case] ejected: usize, #[case] all: usize, #[case] expected: bool) {
        let form = l7::OutlierDetection { max_ejection_percent: max, ..Default::default() };
        assert_eq!(Policy::compile(&form).unwrap().may_eject(ejected, all), expected);
    }

    #[test]
    fn each_ejection_is_longer_and_good_times_are_remembered() {
        let policy = Policy::compile(&form(1, 0, 0, false)).unwrap();
        let (mut record, mut now) = (Record::default(), Instant::now());
        let second = Duration::from_secs(1);
        for times in [1, 2, 3] {
            record.eject(&policy, now);
            assert!(
                !record.look(now + 30 * times * second - second, 9),
                "ejected for {times} times the base"
            );
            now += 30 * times * second;
            assert!(record.look(now, 1));
            assert_eq!(record.until, None);
        }
        record.look(now, 2);
        record.eject(&policy, now);
        assert!(record.look(now + 60 * second, 1), "two good intervals: as the second time");
        for _ in 0..100 {
            record.eject(&policy, now);
        }
        assert!(record.look(now + 300 * second, 1), "no longer than five minutes");
    }
}
