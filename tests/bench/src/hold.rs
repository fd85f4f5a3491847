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
    /// A server that was started with --keep, or with --http any web server
    #[arg(long, value_name = "ADDRESS:PORT")]
    to: SocketAddr,
    /// How many
    #[arg(long)]
    connections: usize,
    /// A GET of this path is what a connection is used for, in the place of 64 bytes
    #[arg(long, value_name = "PATH")]
    http: Option<String>,
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
    let request = args.http.as_ref().map(|path| format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", args.to));
    let ask = |stream: &mut TcpStream| match &request {
        Some(request) => get(stream, request),
        None => echo(stream),
    };
    let held = in_lanes((0..LANES).map(left).collect(), |count| open(args.to, count, ask))?;
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

fn open(
    to: SocketAddr,
    count: usize,
    ask: impl Fn(&mut TcpStream) -> std::io::Result<()>,
) -> Vec<std::io::Result<TcpStream>> {
    let one = || {
        let mut stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        ask(&mut stream)?;
        Ok(stream)
    };
    (0..count).map(|_| one()).collect()
}

fn echo(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut message = [7; MESSAGE];
    stream.write_all(&message)?;
    stream.read_exact(&mut message)
}

/// A response of status 200 with a `content-length`, or an error.
fn get(stream: &mut TcpStream, request: &str) -> std::io::Result<()> {
    stream.write_all(request.as_bytes())?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(whole) = length(&answer)?
            && answer.len() >= whole
        {
            return Ok(());
        }
        match stream.read(&mut buffer)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => answer.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Of the whole response, if its head is there.
fn length(answer: &[u8]) -> std::io::Result<Option<usize>> {
    let text = String::from_utf8_lossy(answer);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return Ok(None) };
    let unexpected = || std::io::Error::other(format!("not the answer that was expected: {head}"));
    if head.split(' ').nth(1) != Some("200") {
        return Err(unexpected());
    }
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let body = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let body = body.and_then(|(_, value)| value.trim().parse::<usize>().ok()).ok_or_else(unexpected)?;
    Ok(Some(head.len() + 4 + body))
}

/// Threads that open connections at once: enough to not wait for one another, few enough to not be a storm.
const LANES: usize = 16;
const PATIENCE: Duration = Duration::from_secs(10);
