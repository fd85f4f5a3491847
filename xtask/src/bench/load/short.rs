//! Short connections with `weir-load short`.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Deserialize;

use super::super::metric::{self, Measured, Metric};
use super::super::plane::Plane;
use super::super::servers::SHORT_PORT;
use super::{from_json, with_cpu};

/// A number of them at once, for a time.
pub(super) fn run(
    plane: &Plane,
    length: Duration,
    in_flight: usize,
    [rate, p50, p99, cpu]: [Metric; 4],
) -> Result<Vec<Measured>> {
    let before = plane.cpu_seconds()?;
    let (in_flight, seconds) = (in_flight.to_string(), length.as_secs().to_string());
    let run = short_run(plane, &["--in-flight", &in_flight, "--seconds", &seconds], length)?;
    ensure!(
        run.failed == 0,
        "{} of {} connections failed: {}",
        run.failed,
        run.connections + run.failed,
        run.reason()
    );
    let used = plane.cpu_seconds()? - before;
    let measured = vec![(rate, run.per_second), (p50, run.p50_us), (p99, run.p99_us)];
    Ok(with_cpu(plane, measured, cpu, used / run.connections as f64 * 1000.0))
}

/// 30,000 of them: the TIME_WAIT sockets of the first are in the way of the last.
pub(super) fn pile(plane: &Plane) -> Result<Vec<Measured>> {
    let run = short_run(
        plane,
        &["--in-flight", "16", "--count", "30000", "--seconds", "180"],
        Duration::from_secs(180),
    )?;
    if run.failed > 0 {
        eprintln!("bench: {}: {} connections failed, the first: {}", plane.name, run.failed, run.reason());
    }
    Ok(vec![
        (metric::PILE_FIRST, run.per_second_first),
        (metric::PILE_LAST, run.per_second_last),
        (metric::PILE_FAILED, run.failed as f64),
    ])
}

fn short_run(plane: &Plane, arguments: &[&str], length: Duration) -> Result<ShortReport> {
    let to = plane.socket(SHORT_PORT);
    let load = plane.load_program.to_string_lossy();
    let arguments = [&["short", "--to", &to], arguments].concat();
    from_json(&plane.client_output(&load, &arguments, length)?.success()?)
}

/// What `weir-load short` prints.
#[derive(Deserialize)]
struct ShortReport {
    connections: u64,
    failed: u64,
    first_error: Option<String>,
    per_second: f64,
    per_second_first: f64,
    per_second_last: f64,
    p50_us: f64,
    p99_us: f64,
}

impl ShortReport {
    fn reason(&self) -> &str {
        self.first_error.as_deref().unwrap_or_default()
    }
}
