//! Times of single connections, and what is told of them.

use std::time::Duration;

use serde::Serialize;

/// One connection that went well.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// When it had ended, from the start of the run.
    pub(crate) ended: Duration,
    /// From connect() until the server's end was seen.
    pub(crate) took: Duration,
}

/// What a run of short connections prints.
#[derive(Serialize)]
pub(crate) struct Report {
    /// Connections that went well.
    pub(crate) connections: usize,
    /// Connections that did not.
    pub(crate) failed: u64,
    /// The first failure's text.
    pub(crate) first_error: Option<String>,
    /// Length of the run, seconds.
    pub(crate) seconds: f64,
    /// Over the whole run.
    pub(crate) per_second: f64,
    /// Over the first tenth of the connections.
    pub(crate) per_second_first: f64,
    /// Over the last tenth: falls where TIME_WAIT sockets make new connections dear.
    pub(crate) per_second_last: f64,
    /// Median, microseconds.
    pub(crate) p50_us: f64,
    /// Microseconds.
    pub(crate) p99_us: f64,
}

impl Report {
    /// Sums up a run; the samples may be in any order.
    pub(crate) fn new(mut samples: Vec<Sample>, failed: u64, first_error: Option<String>) -> Self {
        samples.sort_by_key(|sample| sample.ended);
        let ends: Vec<Duration> = samples.iter().map(|sample| sample.ended).collect();
        let mut times: Vec<Duration> = samples.iter().map(|sample| sample.took).collect();
        times.sort();
        let tenth = ends.len() / 10;
        Self {
            connections: ends.len(),
            failed,
            first_error,
            seconds: ends.last().map_or(0.0, Duration::as_secs_f64),
            per_second: rate(Duration::ZERO, &ends),
            per_second_first: rate(Duration::ZERO, &ends[..tenth]),
            per_second_last: ends
                .len()
                .checked_sub(tenth + 1)
                .map_or(0.0, |cut| rate(ends[cut], &ends[cut + 1..])),
            p50_us: percentile(&times, 50),
            p99_us: percentile(&times, 99),
        }
    }
}

fn rate(from: Duration, ends: &[Duration]) -> f64 {
    let Some(last) = ends.last() else { return 0.0 };
    let seconds = last.saturating_sub(from).as_secs_f64();
    if seconds > 0.0 { ends.len() as f64 / seconds } else { 0.0 }
}

/// Nearest rank, microseconds.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(ended_ms: u64, took_us: u64) -> Sample {
        Sample { ended: Duration::from_millis(ended_ms), took: Duration::from_micros(took_us) }
    }

    #[test]
    fn an_even_run_has_one_rate() {
        let samples = (1..=100).rev().map(|n| sample(n * 10, n)).collect();
        let report = Report::new(samples, 0, None);
        assert_eq!(report.connections, 100);
        for rate in [report.per_second, report.per_second_first, report.per_second_last] {
            assert!((rate - 100.0).abs() < 0.001, "{rate}");
        }
        assert!((report.p50_us - 50.0).abs() < 0.001 && (report.p99_us - 99.0).abs() < 0.001);
    }

    #[test]
    fn a_run_that_slows_down_shows_it() {
        let fast = (1..=90).map(|n| sample(n, 1));
        let slow = (1..=10).map(|n| sample(90 + n * 10, 1));
        let report = Report::new(fast.chain(slow).collect(), 0, None);
        assert!((report.per_second_first - 1000.0).abs() < 0.001);
        assert!((report.per_second_last - 100.0).abs() < 0.001);
    }

    #[test]
    fn nothing_is_not_a_division_by_zero() {
        for samples in [vec![], vec![sample(0, 0)], vec![sample(5, 1)]] {
            let report = Report::new(samples, 3, Some("refused".to_owned()));
            assert!(report.per_second.is_finite() && report.per_second_last.is_finite());
        }
    }
}
