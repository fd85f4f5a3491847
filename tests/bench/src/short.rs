//! Short connections: connect, 64 bytes, 64 bytes, close.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use clap::Args;

use crate::MESSAGE;
use crate::sample::{Report, Sample};

/// Make short connections, a number of them at once, for a time or up to a count
#[derive(Args)]
pub(crate) struct ShortArgs {
    /// The server
    #[arg(long, value_name = "ADDRESS:PORT")]
    to: SocketAddr,
    /// Connections at once
    #[arg(long, default_value_t = 1)]
    in_flight: usize,
    /// Length of the run
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Connections at most
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    count: u64,
}

/// Runs the load and prints the [`Report`].
pub(crate) fn run(args: &ShortArgs) -> Result<()> {
    let started = Instant::now();
    let end = started + Duration::try_from_secs_f64(args.seconds)?;
    let tickets = AtomicU64::new(0);
    let lane = || Lane::default().run(args, started, end, &tickets);
    let lanes = std::thread::scope(|scope| {
        let running: Vec<_> = (0..args.in_flight).map(|_| scope.spawn(lane)).collect();
        running
            .into_iter()
            .map(|lane| lane.join().map_err(|_| anyhow!("a client thread panicked")))
            .collect::<Result<Vec<Lane>>>()
    })?;
    let failed = lanes.iter().map(|lane| lane.failed).sum();
    let first_error = lanes.iter().find_map(|lane| lane.first_error.clone());
    let samples: Vec<Sample> = lanes.into_iter().flat_map(|lane| lane.samples).collect();
    if samples.is_empty() {
        bail!("no connection to {} succeeded: {}", args.to, first_error.unwrap_or_default());
    }
    println!("{}", serde_json::to_string(&Report::new(samples, failed, first_error))?);
    Ok(())
}

/// What one thread has done: one connection after the other.
#[derive(Default)]
struct Lane {
    samples: Vec<Sample>,
    failed: u64,
    first_error: Option<String>,
}

impl Lane {
    fn run(mut self, args: &ShortArgs, started: Instant, end: Instant, tickets: &AtomicU64) -> Self {
        while Instant::now() < end && tickets.fetch_add(1, Ordering::Relaxed) < args.count {
            let begun = Instant::now();
            match ask(args.to) {
                Ok(()) => self.samples.push(Sample { ended: started.elapsed(), took: begun.elapsed() }),
                Err(error) => {
                    self.failed += 1;
                    self.first_error.get_or_insert_with(|| error.to_string());
                    // Without a pause a refused port makes a million failures, and nothing else can run.
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
        self
    }
}

/// One connection, to the server's end: only a FIN after the whole answer counts.
fn ask(to: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&[7; MESSAGE])?;
    let mut answer = [0; MESSAGE];
    stream.read_exact(&mut answer)?;
    match stream.read(&mut answer)? {
        0 => Ok(()),
        _ => Err(std::io::Error::other("the server sent more than the answer")),
    }
}

/// How long an answer may take before the connection counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);
