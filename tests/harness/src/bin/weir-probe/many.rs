//! Many short connections: all at once, one after the other, or for as long as the test wants.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::dial::{self, Dial, Refused};
use crate::serve::small_thread;

#[derive(clap::Args)]
pub(crate) struct Many {
    #[command(flatten)]
    dial: Dial,
    /// How many.
    #[arg(long, default_value_t = 100)]
    count: usize,
    #[command(flatten)]
    style: Style,
}

#[derive(clap::Args)]
pub(crate) struct Load {
    #[command(flatten)]
    dial: Dial,
    #[command(flatten)]
    style: Style,
}

#[derive(Clone, Copy, clap::Args)]
struct Style {
    /// How many at a time.
    #[arg(long, default_value_t = 1)]
    parallel: usize,
    /// Who closes.
    #[arg(long, value_enum, default_value = "client")]
    closes: Closes,
}

/// Who closes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Closes {
    /// The client, by FIN.
    Client,
    /// The client, by RST (leaves no TIME_WAIT).
    ClientRst,
    /// The server, by FIN, when told `bye`.
    Server,
    /// The server by FIN, then the client by RST: the port is free again at once.
    ServerThenRst,
}

#[derive(Default)]
struct Tally {
    ok: usize,
    errors: BTreeMap<String, usize>,
    longest_ms: u64,
}

pub(crate) fn run(args: Many) -> anyhow::Result<()> {
    let left = Arc::new(AtomicUsize::new(args.count));
    let more = move || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
    println!("{}", drive(args.dial, args.style, more)?);
    Ok(())
}

pub(crate) fn load(args: Load) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    small_thread(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        told.store(true, Ordering::Relaxed);
    })?;
    println!("{}", json!({ "event": "started" }));
    println!("{}", drive(args.dial, args.style, move || !stop.load(Ordering::Relaxed))?);
    Ok(())
}

fn drive(
    dial: Dial,
    style: Style,
    more: impl Fn() -> bool + Clone + Send + 'static,
) -> anyhow::Result<Value> {
    let start = Instant::now();
    let tally = Arc::new(Mutex::new(Tally::default()));
    let next = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..style.parallel)
        .map(|_| {
            let (dial, tally, next, more) = (dial.clone(), tally.clone(), next.clone(), more.clone());
            small_thread(move || {
                while more() {
                    let begun = Instant::now();
                    let result = once(&dial, style, next.fetch_add(1, Ordering::Relaxed));
                    let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                    tally.lock().unwrap_or_else(PoisonError::into_inner).add(result, took);
                }
            })
        })
        .collect::<Result<_, _>>()?;
    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("a client thread panicked"))?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    let failed: usize = tally.errors.values().sum();
    let attempts = tally.ok + failed;
    Ok(json!({
        "attempts": attempts, "ok": tally.ok, "failed": failed, "errors": tally.errors,
        "longest_ms": tally.longest_ms, "seconds": seconds, "per_second": attempts as f64 / seconds,
    }))
}

fn once(dial: &Dial, style: Style, n: usize) -> Result<(), Refused> {
    let server_closes = matches!(style.closes, Closes::Server | Closes::ServerThenRst);
    let line: &[u8] = if server_closes { b"bye\n" } else { b"hello\n" };
    let mut stream = dial.connect(dial.target(n), line)?.stream;
    dial::exchange(&mut stream, line, dial.sends_first())?;
    if server_closes {
        match dial::line_of(&mut stream) {
            Err(error) if dial::name(&error) == "EOF" => (),
            Err(error) => return Err(Refused { stage: "end", error }),
            Ok(_) => return Err(Refused { stage: "end", error: std::io::Error::other("data after bye") }),
        }
    }
    if matches!(style.closes, Closes::ClientRst | Closes::ServerThenRst) {
        dial::reset(&stream);
    }
    Ok(())
}

impl Tally {
    fn add(&mut self, result: Result<(), Refused>, took_ms: u64) {
        self.longest_ms = self.longest_ms.max(took_ms);
        match result {
            Ok(()) => self.ok += 1,
            Err(Refused { stage, error }) => {
                *self.errors.entry(format!("{stage}: {}", dial::name(&error))).or_default() += 1;
            }
        }
    }
}
