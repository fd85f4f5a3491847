//! New endpoints get their share little by little.

use std::time::{Duration, Instant};

use weir_proto::l7;

use crate::route::{Reason, Rejection, Within as _, limit};

/// A compiled `Warmup`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Warmup {
    duration: Duration,
    minimum: f64,
    exponent: f64,
}

impl Warmup {
    /// `None`: it takes no time.
    pub(super) fn compile(form: &l7::Warmup) -> Result<Option<Warmup>, Rejection> {
        let Some(duration) = limit("duration", form.duration.as_ref())? else { return Ok(None) };
        let minimum = if form.minimum_percent == 0 { 10 } else { form.minimum_percent };
        if minimum > 100 {
            let expected = "a percentage";
            return Err(Reason::OutOfRange { value: minimum.into(), expected }).within("minimum_percent");
        }
        let aggression = if form.aggression_permille == 0 { 1000 } else { form.aggression_permille };
        let exponent = 1000.0 / f64::from(aggression);
        Ok(Some(Warmup { duration, minimum: f64::from(minimum) / 100.0, exponent }))
    }

    /// What part of its share an endpoint gets that came at `since`.
    pub(super) fn factor(&self, since: Instant, now: Instant) -> f64 {
        let age = now.saturating_duration_since(since);
        if age >= self.duration {
            return 1.0;
        }
        let part = age.as_secs_f64() / self.duration.as_secs_f64();
        part.powf(self.exponent).max(self.minimum)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::least(0, 0, 0, 0.1)]
    #[case::still_least(5, 0, 0, 0.1)]
    #[case::linear(50, 0, 0, 0.5)]
    #[case::done(100, 0, 0, 1.0)]
    #[case::long_done(1000, 0, 0, 1.0)]
    #[case::own_minimum(5, 30, 0, 0.3)]
    #[case::aggressive(25, 0, 2000, 0.5)]
    #[case::timid(50, 0, 500, 0.25)]
    fn factor(#[case] age: u64, #[case] minimum: u32, #[case] aggression: u32, #[case] expected: f64) {
        let form = l7::Warmup {
            duration: Some(prost_types::Duration { seconds: 100, nanos: 0 }),
            minimum_percent: minimum,
            aggression_permille: aggression,
        };
        let (warmup, since) = (Warmup::compile(&form).unwrap().unwrap(), Instant::now());
        let factor = warmup.factor(since, since + Duration::from_secs(age));
        assert!((factor - expected).abs() < 1e-9, "{factor}");
    }

    #[test]
    fn no_time_is_no_warmup() {
        assert_eq!(Warmup::compile(&l7::Warmup::default()).unwrap(), None);
    }
}
