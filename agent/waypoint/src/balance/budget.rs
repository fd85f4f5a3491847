//! Retry budgets: retries in proportion to requests, so that a backend in trouble does not get more than it can bear.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use weir_proto::l7;

use crate::route::{Rejection, limit};

/// A compiled `RetryBudget`.
#[derive(Debug)]
pub(super) struct Budget {
    percent: u32,
    at_least: u32,
    /// `None`: of what is under way.
    window: Option<(Duration, Mutex<Window>)>,
}

/// Requests and retries that began in an interval and in the one before.
#[derive(Debug, Default)]
struct Window {
    start: Option<Instant>,
    now: Counts,
    before: Counts,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    requests: u64,
    retries: u64,
}

impl Budget {
    pub(super) fn compile(form: &l7::RetryBudget) -> Result<Budget, Rejection> {
        let window = limit("interval", form.interval.as_ref())?;
        Ok(Budget {
            percent: form.percent,
            at_least: form.min_concurrency,
            window: window.map(|interval| (interval, Mutex::default())),
        })
    }

    /// A request that is no retry begins.
    pub(super) fn request(&self, now: Instant) {
        if let Some((interval, window)) = &self.window {
            let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
            window.turn(now, *interval);
            window.now.requests += 1;
        }
    }

    /// Whether a retry may begin, and if so, counts it. `retries` and `requests` are those under way without it.
    pub(super) fn retry(&self, now: Instant, retries: u32, requests: u32) -> bool {
        let Some((interval, window)) = &self.window else {
            return self.allows(retries.into(), requests.into());
        };
        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
        window.turn(now, *interval);
        let counts = window.sum(now, *interval);
        let allowed = self.allows(counts.retries, counts.requests);
        window.now.retries += u64::from(allowed);
        allowed
    }

    fn allows(&self, retries: u64, requests: u64) -> bool {
        let share = u128::from(requests) * u128::from(self.percent) / 100;
        u128::from(retries) < share.max(self.at_least.into())
    }
}

impl Window {
    /// Goes on to the interval that `now` is in.
    fn turn(&mut self, now: Instant, interval: Duration) {
        let start = *self.start.get_or_insert(now);
        let since = now.saturating_duration_since(start);
        if since >= interval {
            let one_on = since < interval.saturating_mul(2);
            self.before = if one_on { self.now } else { Counts::default() };
            self.now = Counts::default();
            self.start = Some(if one_on { start + interval } else { now });
        }
    }

    /// What began in the interval up to now, as if the one before were even.
    fn sum(&self, now: Instant, interval: Duration) -> Counts {
        let gone = self.start.map_or(Duration::ZERO, |start| now.saturating_duration_since(start));
        let left = interval.saturating_sub(gone).as_nanos();
        let part = |count: u64| {
            let part = u128::from(count) * left / interval.as_nanos().max(1);
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        Counts {
            requests: self.now.requests + part(self.before.requests),
            retries: self.now.retries + part(self.before.retries),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn budget(interval: i64) -> Budget {
        let interval = Some(prost_types::Duration { seconds: interval, nanos: 0 });
        Budget::compile(&l7::RetryBudget { percent: 20, min_concurrency: 3, interval }).unwrap()
    }

    #[rstest]
    #[case::at_least_three(2, 1, true)]
    #[case::three_are_enough(3, 1, false)]
    #[case::a_fifth(19, 100, true)]
    #[case::no_more_than_a_fifth(20, 100, false)]
    #[case::many(u32::MAX, u32::MAX, false)]
    fn of_what_is_under_way(#[case] retries: u32, #[case] requests: u32, #[case] expected: bool) {
        assert_eq!(budget(0).retry(Instant::now(), retries, requests), expected);
    }

    #[test]
    fn of_an_interval() {
        let (budget, start) = (budget(10), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let allowed = |now| (0..100).take_while(|_| budget.retry(now, 0, 0)).count();
        (0..100).for_each(|_| budget.request(start));
        assert_eq!(allowed(at(9)), 20);
        assert_eq!(allowed(at(9)), 0);
        // Half of the interval before counts, for requests as for retries: 50 and 10. The least is three.
        assert_eq!(allowed(at(15)), 0);
        (0..50).for_each(|_| budget.request(at(15)));
        assert_eq!(allowed(at(15)), 10);
        assert_eq!(allowed(at(100)), 3);
    }
}
