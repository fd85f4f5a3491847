//! Open connections with `weir-load hold`.

use std::io::{BufRead, Write};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::super::metric::{self, Measured};
use super::super::plane::Plane;
use super::super::servers::KEEP_PORT;
use super::from_json;

/// What the data plane needs in memory, alone and for each connection.
pub(super) fn idle(plane: &Plane) -> Result<Vec<Measured>> {
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

/// Whether it carries very many.
pub(super) fn open(plane: &Plane) -> Result<Vec<Measured>> {
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

impl HoldReport {
    fn reason(&self) -> &str {
        self.first_error.as_deref().unwrap_or_default()
    }
}

const IDLE_CONNECTIONS: usize = 1_000;
const OPEN_CONNECTIONS: usize = 10_000;
/// Memory is looked at when opening is over, not in the middle of it.
const SETTLE: Duration = Duration::from_secs(2);
