//! Connections that stay open while the test does something to the mesh.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::dial::{self, Dial};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dial: Dial,
    /// How many.
    #[arg(long, default_value_t = 1)]
    count: usize,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let (mut streams, mut errors) = (Vec::new(), Counts::new());
    for n in 0..args.count {
        match open(&args.dial, n) {
            Ok(stream) => streams.push(stream),
            Err(refused) => count(&mut errors, &refused.error),
        }
    }
    let local =
        streams.first().and_then(|stream| stream.local_addr().ok()).map(|a| dial::plain(a).to_string());
    println!("{}", json!({ "open": streams.len(), "errors": errors, "local": local }));
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        println!("{}", obey(word, rest, &mut streams));
    }
    Ok(())
}

type Counts = BTreeMap<String, u64>;

fn open(dial: &Dial, n: usize) -> Result<TcpStream, dial::Refused> {
    let mut stream = dial.connect(dial.target(n), b"hello\n")?.stream;
    dial::exchange(&mut stream, b"hello\n", dial.sends_first())?;
    Ok(stream)
}

fn obey(word: &str, rest: &str, streams: &mut Vec<TcpStream>) -> Value {
    match word {
        "ping" => ping(streams),
        "ends" => ends(streams, Duration::from_millis(rest.parse().unwrap_or(5000))),
        "say" => {
            let line = format!("{rest}\n");
            let sent = streams.iter_mut().filter_map(|stream| stream.write_all(line.as_bytes()).ok()).count();
            json!({ "sent": sent })
        }
        "mark" => {
            let mark = rest.parse().unwrap_or(0);
            let set = streams.iter().filter(|stream| socket2::SockRef::from(*stream).set_mark(mark).is_ok());
            json!({ "set": set.count() })
        }
        "fin" => {
            let done = streams.iter().filter(|stream| stream.shutdown(Shutdown::Write).is_ok());
            json!({ "done": done.count() })
        }
        "rst" => {
            let count = streams.len();
            for stream in streams.drain(..) {
                dial::reset(&stream);
            }
            json!({ "done": count })
        }
        _ => json!({ "unknown": word }),
    }
}

fn ping(streams: &mut [TcpStream]) -> Value {
    let (mut alive, mut errors) = (0, Counts::new());
    for stream in streams {
        match dial::exchange(stream, b"ping\n", false) {
            Ok(_) => alive += 1,
            Err(refused) => count(&mut errors, &refused.error),
        }
    }
    json!({ "alive": alive, "errors": errors })
}

/// How the connections end, within a limit for all: by name of the error, `EOF`, or `open`.
fn ends(streams: &mut [TcpStream], limit: Duration) -> Value {
    let start = Instant::now();
    let mut ends = Counts::new();
    for stream in streams {
        let left = limit.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
        let _ = stream.set_read_timeout(Some(left));
        match dial::line_of(stream) {
            Ok(_) => *ends.entry("DATA".into()).or_default() += 1,
            Err(error) if dial::name(&error) == "TIMEOUT" => *ends.entry("open".into()).or_default() += 1,
            Err(error) => count(&mut ends, &error),
        }
    }
    json!({ "ends": ends, "ms": u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX) })
}

fn count(errors: &mut Counts, error: &std::io::Error) {
    *errors.entry(dial::name(error)).or_default() += 1;
}
