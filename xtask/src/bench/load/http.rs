//! Small HTTP requests with wrk.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::super::metric::{Measured, Metric};
use super::super::plane::Plane;
use super::super::servers::HTTP_PORT;
use super::with_cpu;

/// Requests on a number of connections, for a time.
pub(super) fn run(
    plane: &Plane,
    length: Duration,
    connections: usize,
    [rate, p50, p99, cpu]: [Metric; 4],
) -> Result<Vec<Measured>> {
    let before = plane.cpu_seconds()?;
    let (connections, duration) = (connections.to_string(), format!("{}s", length.as_secs()));
    let url = plane.url(HTTP_PORT);
    let arguments =
        ["--threads", "1", "--connections", &connections, "--duration", &duration, "--latency", &url];
    let run = parse(&plane.client_output("wrk", &arguments, length)?.success()?)?;
    let used = plane.cpu_seconds()? - before;
    let measured = vec![(rate, run.per_second), (p50, run.p50_us), (p99, run.p99_us)];
    Ok(with_cpu(plane, measured, cpu, used / run.count * 1000.0))
}

/// What wrk says of one run.
#[derive(Debug, PartialEq)]
pub(in crate::bench) struct Requests {
    pub(in crate::bench) per_second: f64,
    pub(in crate::bench) count: f64,
    pub(in crate::bench) p50_us: f64,
    pub(in crate::bench) p99_us: f64,
}

/// Reads the output of `wrk --latency`. Errors of single requests make the run worthless: an error.
pub(in crate::bench) fn parse(text: &str) -> Result<Requests> {
    for bad in ["Socket errors:", "Non-2xx or 3xx responses:"] {
        if let Some(line) = text.lines().find(|line| line.trim().starts_with(bad)) {
            bail!("wrk: {}", line.trim());
        }
    }
    let unexpected = || format!("wrk printed something unexpected:\n{text}");
    Ok(Requests {
        per_second: after(text, "Requests/sec:")
            .and_then(|word| word.parse().ok())
            .with_context(unexpected)?,
        count: count(text).with_context(unexpected)?,
        p50_us: after(text, "50%").and_then(microseconds).with_context(unexpected)?,
        p99_us: after(text, "99%").and_then(microseconds).with_context(unexpected)?,
    })
}

/// The word behind a label that begins a line.
fn after<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.trim().strip_prefix(label))?.split_whitespace().next()
}

/// `  612345 requests in 3.00s, 74.00MB read`
fn count(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains(" requests in "))?;
    line.split_whitespace().next()?.parse().ok()
}

/// wrk's own units: `87.00us`, `1.02ms`, `1.50s`.
fn microseconds(time: &str) -> Option<f64> {
    let digits = time.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &time[digits.len()..] {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return None,
    };
    Some(digits.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Running 3s test @ http://10.9.2.2:8080/\n  1 threads and 32 connections\n  \
        Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency   155.07us   98.00us   5.03ms   90.00%\n    \
        Req/Sec   204.10k     3.00k  210.00k    70.00%\n  Latency Distribution\n     50%  150.00us\n     75%  170.00us\n     \
        90%  200.00us\n     99%    1.02ms\n  612345 requests in 3.00s, 74.00MB read\nRequests/sec: 204115.01\nTransfer/sec:     24.67MB\n";

    #[test]
    fn reads_rate_and_latency() {
        let want = Requests { per_second: 204_115.01, count: 612_345.0, p50_us: 150.0, p99_us: 1020.0 };
        assert_eq!(parse(GOOD).unwrap(), want);
    }

    #[test]
    fn errors_are_not_averaged_away() {
        let cases = [
            format!("{GOOD}  Socket errors: connect 0, read 3, write 0, timeout 0\n"),
            format!("{GOOD}  Non-2xx or 3xx responses: 5\n"),
            GOOD.replace("99%", "98%"),
            String::new(),
        ];
        for text in cases {
            assert!(parse(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn units() {
        for (text, want) in [
            ("87.00us", Some(87.0)),
            ("1.02ms", Some(1020.0)),
            ("1.50s", Some(1.5e6)),
            ("3.00m", None),
            ("", None),
        ] {
            assert_eq!(microseconds(text), want, "{text:?}");
        }
    }
}
