//! The loads, each the same for every data plane.

use std::io::{BufRead, Write};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::metric::{self, Measured, Metric};
use super::plane::Plane;
use super::servers::{HTTP_PORT, IPERF_PORT, KEEP_PORT, SHORT_PORT};

mod bulk;
mod http;

/// One load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Load {
    /// Memory at rest, and per idle connection
    Idle,
    /// One bulk stream
    Bulk1,
    /// Eight bulk streams
    Bulk8,
    /// HTTP requests on one connection
    Http1,
    /// HTTP requests on 32 connections
    Http32,
    /// New connections, one at a time
    Short1,
    /// New connections, 16 at a time
    Short16,
    /// 30,000 new connections: does TIME_WAIT make the last ones slow?
    Pile,
    /// 10,000 open connections
    Open,
}

/// Loads that run together, once or in rounds.
pub(super) struct Stage {
    pub(super) loads: &'static [Load],
    pub(super) repeats: bool,
}

impl Load {
    /// Memory first, while nothing has run yet; last what leaves many sockets behind.
    pub(super) const STAGES: [Stage; 3] = [
        Stage { loads: &[Self::Idle], repeats: false },
        Stage {
            loads: &[Self::Bulk1, Self::Bulk8, Self::Http1, Self::Http32, Self::Short1, Self::Short16],
            repeats: true,
        },
        Stage { loads: &[Self::Pile, Self::Open], repeats: false },
    ];

    /// For the progress lines.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Idle => "1,000 idle connections",
            Self::Bulk1 => "1 bulk stream",
            Self::Bulk8 => "8 bulk streams",
            Self::Http1 => "HTTP on 1 connection",
            Self::Http32 => "HTTP on 32 connections",
            Self::Short1 => "new connections, 1 in flight",
            Self::Short16 => "new connections, 16 in flight",
            Self::Pile => "30,000 short connections",
            Self::Open => "10,000 open connections",
        }
    }

    /// Runs it once through one data plane.
    pub(super) fn run(self, plane: &Plane, length: Duration) -> Result<Vec<Measured>> {
        match self {
            Self::Idle => idle(plane),
            Self::Bulk1 => bulk(plane, length, 1, metric::BULK_1, metric::BULK_1_CPU),
            Self::Bulk8 => bulk(plane, length, 8, metric::BULK_8, metric::BULK_8_CPU),
            Self::Http1 => requests(plane, length, 1, HTTP_1),
            Self::Http32 => requests(plane, length, 32, HTTP_32),
            Self::Short1 => short(plane, length, 1, SHORT_1),
            Self::Short16 => short(plane, length, 16, SHORT_16),
            Self::Pile => pile(plane),
            Self::Open => open(plane),
        }
    }
}

fn bulk(plane: &Plane, length: Duration, streams: usize, rate: Metric, cpu: Metric) -> Result<Vec<Measured>> {
    let before = plane.cpu_seconds()?;
    let seconds = length.as_secs().to_string();
    let (port, streams) = (IPERF_PORT.to_string(), streams.to_string());
    let target = plane.target.to_string();
    let arguments =
        ["--client", &target, "--port", &port, "--parallel", &streams, "--time", &seconds, "--json"];
    let transfer = bulk::parse(&plane.client_output("iperf3", &arguments, length)?.stdout)?;
    let used = plane.cpu_seconds()? - before;
    Ok(with_cpu(plane, vec![(rate, transfer.gbit_per_second)], cpu, used / transfer.gigabytes))
}

fn requests(
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
    let run = http::parse(&plane.client_output("wrk", &arguments, length)?.success()?)?;
    let used = plane.cpu_seconds()? - before;
    let measured = vec![(rate, run.per_second), (p50, run.p50_us), (p99, run.p99_us)];
    Ok(with_cpu(plane, measured, cpu, used / run.count * 1000.0))
}

fn short(
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

fn pile(plane: &Plane) -> Result<Vec<Measured>> {
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

fn idle(plane: &Plane) -> Result<Vec<Measured>> {
    let [client, server] = plane.rss_kib()?;
    let held = hold(plane, IDLE_CONNECTIONS)?;
    ensure!(held.opened.failed == 0, "{} connections failed: {}", held.opened.failed, held.opened.reason());
    if plane.is_bare() {
        return Ok(Vec::new());
    }
    let per_connection = |before: f64, after: f64| (after - before) / IDLE_CONNECTIONS as f64;
    Ok(vec![
        (metric::RSS_IDLE, client.max(server) / 1024.0),
        (metric::RSS_CLIENT, per_connection(client, held.rss_kib[0])),
        (metric::RSS_SERVER, per_connection(server, held.rss_kib[1])),
    ])
}

fn open(plane: &Plane) -> Result<Vec<Measured>> {
    let held = hold(plane, OPEN_CONNECTIONS)?;
    if held.opened.failed + held.used_again.failed > 0 {
        let reason = if held.opened.failed > 0 { held.opened.reason() } else { held.used_again.reason() };
        eprintln!(
            "bench: {}: {} connections failed, the first: {reason}",
            plane.name,
            held.opened.failed + held.used_again.failed
        );
    }
    Ok(vec![
        (metric::OPEN_ALIVE, held.used_again.alive as f64),
        (metric::OPEN_RATE, held.opened.alive as f64 / held.opened.seconds),
    ])
}

/// Opens connections, waits until the data plane has settled, looks at its memory, and uses all once more.
fn hold(plane: &Plane, connections: usize) -> Result<Held> {
    let (to, connections) = (plane.socket(KEEP_PORT), connections.to_string());
    let load = plane.load_program.to_string_lossy();
    let (process, mut input, mut output) =
        plane.client_converse(&load, &["hold", "--to", &to, "--connections", &connections])?;
    let mut line = || {
        let mut text = String::new();
        output.read_line(&mut text).context("weir-load hold ended early")?;
        from_json::<HoldReport>(&text).with_context(|| process.log())
    };
    let opened = line()?;
    std::thread::sleep(SETTLE);
    let rss_kib = plane.rss_kib()?;
    writeln!(input).context("weir-load hold does not listen")?;
    let used_again = line()?;
    Ok(Held { opened, rss_kib, used_again })
}

fn with_cpu(plane: &Plane, mut measured: Vec<Measured>, metric: Metric, value: f64) -> Vec<Measured> {
    if !plane.is_bare() {
        measured.push((metric, value));
    }
    measured
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).with_context(|| format!("weir-load printed something unexpected: {text}"))
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

/// What `weir-load hold` prints, twice.
#[derive(Deserialize)]
struct HoldReport {
    alive: usize,
    failed: usize,
    first_error: Option<String>,
    seconds: f64,
}

struct Held {
    opened: HoldReport,
    /// Client's side, server's side.
    rss_kib: [f64; 2],
    used_again: HoldReport,
}

impl ShortReport {
    fn reason(&self) -> &str {
        self.first_error.as_deref().unwrap_or_default()
    }
}

impl HoldReport {
    fn reason(&self) -> &str {
        self.first_error.as_deref().unwrap_or_default()
    }
}

const HTTP_1: [Metric; 4] = [metric::HTTP_1, metric::HTTP_1_P50, metric::HTTP_1_P99, metric::HTTP_1_CPU];
const HTTP_32: [Metric; 4] = [metric::HTTP_32, metric::HTTP_32_P50, metric::HTTP_32_P99, metric::HTTP_32_CPU];
const SHORT_1: [Metric; 4] = [metric::SHORT_1, metric::SHORT_1_P50, metric::SHORT_1_P99, metric::SHORT_1_CPU];
const SHORT_16: [Metric; 4] =
    [metric::SHORT_16, metric::SHORT_16_P50, metric::SHORT_16_P99, metric::SHORT_16_CPU];
const IDLE_CONNECTIONS: usize = 1_000;
const OPEN_CONNECTIONS: usize = 10_000;
/// Memory is looked at when opening is over, not in the middle of it.
const SETTLE: Duration = Duration::from_secs(2);
