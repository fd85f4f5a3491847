//! Many open connections that do nothing: what one costs, and whether all stay alive.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use serde::Serialize;

use crate::MESSAGE;

/// Open connections, use each once, and hold them until a line comes on stdin; then use each once more
#[derive(Args)]
pub(crate) struct HoldArgs {
    /// A server that was started with --keep
    #[arg(long, value_name = "ADDRESS:PORT")]
    to: SocketAddr,
    /// How many
    #[arg(long)]
    connections: usize,
}

/// One line of the result: the first after opening, the second after the last use.
#[derive(Serialize)]
struct Report {
    /// Connections that answered.
    alive: usize,
    /// Connections that did not.
    failed: usize,
    first_error: Option<String>,
    seconds: f64,
}

/// Opens, reports, waits for stdin, uses all once more, reports.
pub(crate) fn run(args: &HoldArgs) -> Result<()> {
    let share = args.connections.div_ceil(LANES);
    let left = |lane: usize| share.min(args.connections.saturating_sub(lane * share));
    let held = in_lanes((0..LANES).map(left).collect(), |count| open(args.to, count))?;
    std::io::stdin().read_line(&mut String::new()).context("stdin is gone")?;
    in_lanes(held, |streams| {
        streams.into_iter().map(|mut stream| ask(&mut stream).map(|()| stream)).collect()
    })?;
    Ok(())
}

/// Runs the work of each lane on a thread of its own, and prints what came of it.
fn in_lanes<T: Send>(
    lanes: Vec<T>,
    work: impl Fn(T) -> Vec<std::io::Result<TcpStream>> + Sync,
) -> Result<Vec<Vec<TcpStream>>> {
    let started = Instant::now();
    let work = &work;
    let done = std::thread::scope(|scope| {
        let running: Vec<_> = lanes.into_iter().map(|lane| scope.spawn(move || work(lane))).collect();
        running
            .into_iter()
            .map(|lane| lane.join().map_err(|_| anyhow!("a client thread panicked")))
            .collect::<Result<Vec<_>>>()
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let errors: Vec<String> =
        done.iter().flatten().filter_map(|one| one.as_ref().err().map(ToString::to_string)).collect();
    let held: Vec<Vec<TcpStream>> =
        done.into_iter().map(|lane| lane.into_iter().flatten().collect()).collect();
    let alive = held.iter().map(Vec::len).sum();
    let report = Report { alive, failed: errors.len(), first_error: errors.into_iter().next(), seconds };
    println!("{}", serde_json::to_string(&report)?);
    Ok(held)
}

fn open(to: SocketAddr, count: usize) -> Vec<std::io::Result<TcpStream>> {
    let one = || {
        let mut stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        ask(&mut stream)?;
        Ok(stream)
    };
    (0..count).map(|_| one()).collect()
}

fn ask(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut message = [7; MESSAGE];
    stream.write_all(&message)?;
    stream.read_exact(&mut message)
}

/// Threads that open connections at once: enough to not wait for one another, few enough to not be a storm.
const LANES: usize = 16;
const PATIENCE: Duration = Duration::from_secs(10);
