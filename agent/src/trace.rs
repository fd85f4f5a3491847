//! `weir-agent trace`: reads the event stream of the running agent and shows it, as a table or as JSON.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::cli::TraceOptions;

/// Prints events until the agent ends, the count is reached, or the reader of our output goes away.
pub(crate) fn run(options: &TraceOptions) -> anyhow::Result<()> {
    let lines = open(&options.admin)?;
    let mut out = std::io::stdout().lock();
    if options.output == "table" && !print(&mut out, HEADER)? {
        return Ok(());
    }
    let mut shown = 0;
    for line in lines {
        let line = line.context("the agent went away")?;
        let event: Event = serde_json::from_str(&line).with_context(|| format!("the agent sent {line:?}"))?;
        if !event.is_of(options.pod.as_deref()) {
            continue;
        }
        let text = match options.output.as_str() {
            "json" => line,
            _ => event.row(),
        };
        shown += 1;
        if !print(&mut out, &text)? || options.count == Some(shown) {
            break;
        }
    }
    Ok(())
}

/// Sends the request and gives the lines of the answer's body (chunked: each chunk is whole lines).
fn open(admin: &str) -> anyhow::Result<impl Iterator<Item = std::io::Result<String>>> {
    let mut stream = TcpStream::connect(admin)
        .with_context(|| format!("no agent answers at {admin}; is it running, in this network namespace? --admin gives another address"))?;
    stream.write_all(b"GET /trace HTTP/1.1\r\nhost: weir-agent\r\nconnection: close\r\n\r\n")?;
    let mut lines = BufReader::new(stream).lines();
    let status = lines.next().context("the agent closed the connection")??;
    if !status.contains(" 200 ") {
        let body: Vec<_> = lines.map_while(Result::ok).skip_while(|line| !line.is_empty()).collect();
        bail!("the agent refused: {status}: {}", body.join(" ").trim());
    }
    Ok(lines.skip_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).filter(is_event))
}

/// Objects are events; what else is in the body are chunk sizes and empty lines.
fn is_event(line: &std::io::Result<String>) -> bool {
    line.as_ref().map_or(true, |line| line.starts_with('{'))
}

/// False when nobody reads any more (a closed pipe), which is no error.
fn print(out: &mut impl Write, line: &str) -> anyhow::Result<bool> {
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// One line of the stream, as far as the table shows it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Event {
    time: String,
    kind: String,
    pod: String,
    process: String,
    source: String,
    destination: String,
    detail: String,
    peer: String,
}

impl Event {
    fn is_of(&self, pod: Option<&str>) -> bool {
        let Some(wanted) = pod else { return true };
        self.pod == wanted || self.pod.rsplit_once('/').is_some_and(|(_, name)| name == wanted)
    }

    fn row(&self) -> String {
        let Self { time, kind, pod, process, source, destination, detail, peer } = self;
        let to = match peer.is_empty() {
            true => destination.clone(),
            false => format!("{destination} ({peer})"),
        };
        format!("{time:<12} {kind:<11} {pod:<24} {process:<15} {source} > {to}  {detail}")
    }
}

const HEADER: &str = "TIME         EVENT       POD                      PROCESS         CONNECTION";
