//! Data both ways over one connection, with a half-close between: nothing may be lost or added.
//!
//! The client says `transfer <up bytes> <down bytes> <up|down>`; the direction that is named goes
//! first and ends with FIN, then the other goes and ends. Both ends check count and CRC.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use crc32fast::Hasher;
use serde_json::{Value, json};

use crate::dial::{self, Dial, Refused};
use crate::serve::small_thread;

#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dial: Dial,
    /// Bytes from client to server.
    #[arg(long, default_value_t = 20_000_000)]
    up: u64,
    /// Bytes from server to client.
    #[arg(long, default_value_t = 20_000_000)]
    down: u64,
    /// Direction that goes first.
    #[arg(long, value_enum, default_value = "up")]
    first: Direction,
    /// Read nothing for so many milliseconds before reading.
    #[arg(long, default_value_t = 0)]
    lazy: u64,
    /// Such transfers at the same time.
    #[arg(long, default_value_t = 1)]
    parallel: usize,
}

/// A direction.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Direction {
    /// Client to server.
    Up,
    /// Server to client.
    Down,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let start = Instant::now();
    let (send, receive) = std::sync::mpsc::channel();
    for n in 0..args.parallel {
        let (args, send) = (args.clone(), send.clone());
        small_thread(move || {
            let answer = attempt(&args, n).unwrap_or_else(|Refused { stage, error }| {
                json!({ "ok": false, "stage": stage, "error": dial::name(&error) })
            });
            let _ = send.send(answer);
        })?;
    }
    drop(send);
    let all: Vec<Value> = receive.into_iter().collect();
    let ok = all.iter().filter(|one| one["ok"] == true).count();
    let faults: Vec<&Value> = all.iter().filter(|one| one["ok"] != true).collect();
    println!("{}", json!({ "ok": ok, "faults": faults, "seconds": start.elapsed().as_secs_f64() }));
    Ok(())
}

/// The server's end. What it received is told to the client where a direction is left for it, and
/// printed in any case.
pub(crate) fn serve(stream: &mut TcpStream) -> io::Result<()> {
    let order = dial::line_of(stream)?;
    let mut words = order.split(' ').skip(1);
    let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
    let (up, down) = number().zip(number()).ok_or_else(|| io::Error::other("no transfer order"))?;
    let up_first = order.ends_with("up");
    if !up_first {
        send(stream, down)?;
        stream.shutdown(Shutdown::Write)?;
    }
    let (count, crc) = receive(stream)?;
    let right = (count, crc) == expected(up);
    println!("{}", json!({ "event": "transfer", "received": count, "right": right }));
    if up_first {
        writeln!(stream, "got {count} {crc}")?;
        send(stream, down)?;
    }
    Ok(())
}

fn attempt(args: &Args, n: usize) -> Result<Value, Refused> {
    let word = if args.first == Direction::Up { "up" } else { "down" };
    let order = format!("transfer {} {} {word}\n", args.up, args.down);
    let mut stream = args.dial.connect(args.dial.target(n), order.as_bytes())?.stream;
    let at = |stage| move |error| Refused { stage, error };
    if !args.dial.sends_first() {
        stream.write_all(order.as_bytes()).map_err(at("send"))?;
    }
    let mut faults = Vec::new();
    if args.first == Direction::Up {
        send(&mut stream, args.up).map_err(at("up"))?;
        stream.shutdown(Shutdown::Write).map_err(at("half-close"))?;
        let got = dial::line_of(&mut stream).map_err(at("receipt"))?;
        let (count, crc) = expected(args.up);
        if got != format!("got {count} {crc}") {
            faults.push(format!("server {got}, sent {count} {crc}"));
        }
    }
    if args.lazy > 0 {
        // A slow reader: the peer fills every buffer on the way and must wait.
        std::thread::sleep(Duration::from_millis(args.lazy));
    }
    let down = receive(&mut stream).map_err(at("down"))?;
    if down != expected(args.down) {
        faults.push(format!("received {} of {} bytes", down.0, args.down));
    }
    if args.first == Direction::Down {
        send(&mut stream, args.up).map_err(at("up"))?;
        stream.shutdown(Shutdown::Write).map_err(at("half-close"))?;
        // The server closes when it has read all; a RST here would be loss.
        receive(&mut stream).map_err(at("end"))?;
    }
    Ok(json!({ "ok": faults.is_empty(), "faults": faults }))
}

const BLOCK: usize = 64 << 10;

/// Bytes whose position can be told from their value, over more than any power of two.
fn pattern() -> Vec<u8> {
    (0..251 * 256usize).map(|n| (n % 251) as u8 ^ (n / 251) as u8).collect()
}

fn send(stream: &mut TcpStream, total: u64) -> io::Result<()> {
    let pattern = pattern();
    let mut left = total;
    while left > 0 {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(pattern.len());
        stream.write_all(&pattern[..size])?;
        left -= size as u64;
    }
    Ok(())
}

fn receive(stream: &mut TcpStream) -> io::Result<(u64, u32)> {
    let (mut hasher, mut count, mut block) = (Hasher::new(), 0, vec![0; BLOCK]);
    loop {
        match stream.read(&mut block)? {
            0 => return Ok((count, hasher.finalize())),
            size => {
                hasher.update(&block[..size]);
                count += size as u64;
            }
        }
    }
}

fn expected(total: u64) -> (u64, u32) {
    let (pattern, mut hasher, mut left) = (pattern(), Hasher::new(), total);
    while left > 0 {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(pattern.len());
        hasher.update(&pattern[..size]);
        left -= size as u64;
    }
    (total, hasher.finalize())
}
