//! Memory of clients that are connected and ask nothing.

use std::io::{BufRead, Write};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::super::metric::Measured;
use super::super::process;
use super::bench::Bench;
use super::configs::HELD;
use super::proxy::Proxy;
use super::rows::{RSS, RSS_IDLE};

/// Each client has asked once before, so that what a request leaves behind is counted.
pub(super) fn measure(bench: &Bench, proxy: &Proxy) -> Result<Vec<Measured>> {
    let before = process::rss_kib(proxy.pid())?;
    let (to, held) = (bench.at(proxy.http1_port()), HELD.to_string());
    let arguments = ["hold", "--to", &to, "--connections", &held, "--http", "/route/0/item"];
    let program = bench.load_program.to_string_lossy();
    let (process, mut input, mut output) = bench.client().place().converse(&program, &arguments)?;
    let mut all = |what: &str| {
        let mut text = String::new();
        output.read_line(&mut text).context("weir-load hold ended early")?;
        let report: Report = serde_json::from_str(&text).with_context(|| process.log())?;
        let reason = report.first_error.unwrap_or_default();
        ensure!(report.failed == 0, "{} of {HELD} {what}: {reason}", report.failed);
        Ok(())
    };
    all("could not be opened")?;
    std::thread::sleep(SETTLE);
    let after = process::rss_kib(proxy.pid())?;
    writeln!(input).context("weir-load hold does not listen")?;
    all("were not answered again")?;
    Ok(vec![(RSS, before / 1024.0), (RSS_IDLE, (after - before) / HELD as f64)])
}

/// What `weir-load hold` prints, twice.
#[derive(Deserialize)]
struct Report {
    failed: usize,
    first_error: Option<String>,
}

/// Memory is looked at when opening is over, not in the middle of it.
const SETTLE: Duration = Duration::from_secs(2);
