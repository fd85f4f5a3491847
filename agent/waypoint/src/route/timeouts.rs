//! How long a request and each of its tries may take.

use std::time::{Duration, Instant};

use weir_proto::l7;

use super::rejection::{Rejection, limit};

/// The limits of a rule; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// From the whole request to the whole response, all tries and waits between them included.
    pub request: Option<Duration>,
    /// Of one try, up to the response's end.
    pub one_try: Option<Duration>,
}

impl Timeouts {
    pub(crate) fn compile(form: &l7::Forward) -> Result<Timeouts, Rejection> {
        Ok(Timeouts {
            request: limit("timeout", form.timeout.as_ref())?,
            one_try: limit("try_timeout", form.try_timeout.as_ref())?,
        })
    }

    /// The same for a request whose client waits no longer than this.
    pub fn at_most(self, limit: Duration) -> Self {
        Self { request: Some(self.request.map_or(limit, |own| own.min(limit))), ..self }
    }

    /// When the request ends, if it came at `start`.
    pub fn deadline(&self, start: Instant) -> Option<Instant> {
        // An instant that cannot be counted is never reached.
        self.request.and_then(|limit| start.checked_add(limit))
    }

    /// When a try that begins `now` ends: by its own limit or the request's, whichever comes first.
    pub fn try_deadline(&self, start: Instant, now: Instant) -> Option<Instant> {
        let own = self.one_try.and_then(|limit| now.checked_add(limit));
        match (own, self.deadline(start)) {
            (Some(own), Some(all)) => Some(own.min(all)),
            (own, all) => own.or(all),
        }
    }

    /// Whether another try can begin after a wait: one that could not is not worth the wait.
    pub fn leave_room(&self, start: Instant, now: Instant, wait: Duration) -> bool {
        match (self.deadline(start), now.checked_add(wait)) {
            (None, _) => true,
            (Some(deadline), Some(next)) => next < deadline,
            (Some(_), None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none(None, None, 0, None)]
    #[case::request(Some(10), None, 4, Some(10))]
    #[case::one_try(None, Some(3), 4, Some(7))]
    #[case::the_try_is_shorter(Some(10), Some(3), 4, Some(7))]
    #[case::the_rest_is_shorter(Some(10), Some(3), 8, Some(10))]
    #[case::the_rest_is_over(Some(10), Some(3), 12, Some(10))]
    fn a_try_ends(
        #[case] request: Option<u64>,
        #[case] one_try: Option<u64>,
        #[case] now: u64,
        #[case] expected: Option<u64>,
    ) {
        let seconds = Duration::from_secs;
        let timeouts = Timeouts { request: request.map(seconds), one_try: one_try.map(seconds) };
        let start = Instant::now();
        let deadline = timeouts.try_deadline(start, start + seconds(now));
        assert_eq!(deadline, expected.map(|expected| start + seconds(expected)));
    }

    #[rstest]
    #[case::no_limit(None, u64::MAX, true)]
    #[case::in_time(Some(10), 5, true)]
    #[case::just_too_late(Some(10), 6, false)]
    #[case::beyond_all_clocks(Some(10), u64::MAX, false)]
    fn room_for_another(#[case] request: Option<u64>, #[case] wait: u64, #[case] expected: bool) {
        let seconds = Duration::from_secs;
        let timeouts = Timeouts { request: request.map(seconds), one_try: None };
        let start = Instant::now();
        assert_eq!(timeouts.leave_room(start, start + seconds(4), seconds(wait)), expected);
    }

    #[test]
    fn zero_is_no_limit() {
        let zero = Some(prost_types::Duration::default());
        let form = l7::Forward { timeout: zero, try_timeout: zero, ..Default::default() };
        assert_eq!(Timeouts::compile(&form).unwrap(), Timeouts::default());
        let negative = Some(prost_types::Duration { seconds: -1, nanos: 0 });
        let form = l7::Forward { try_timeout: negative, ..Default::default() };
        assert_eq!(Timeouts::compile(&form).unwrap_err().path, "try_timeout");
    }
}
