//! `weir-probe` from the outside: a program that makes sockets in every way an application may.
//!
//! It runs as a process in a pod, because the hooks of the pods' cgroup see processes, not threads.

use std::fmt;
use std::io::{BufReader, Write};
use std::net::SocketAddr;
use std::process::{ChildStdin, ChildStdout};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::read_line;
use crate::{Place, Pod, Process, tool};

/// A connection of the probe that worked.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The client's own address (`getsockname`).
    pub local: SocketAddr,
    /// What the client takes for its peer (`getpeername`).
    pub peer: SocketAddr,
    /// What the server takes for its peer; `None` when nothing was exchanged.
    pub seen: Option<SocketAddr>,
    /// The server's own address.
    pub server: Option<SocketAddr>,
    /// What the server said before the client spoke.
    pub banner: Option<String>,
    /// Time that connect() took.
    pub connect: Duration,
    /// The whole answer of the probe.
    pub raw: Value,
}

/// A connection of the probe that did not work.
#[derive(Clone, Debug)]
pub struct ProbeError {
    /// Name of the errno, or `EOF`, or `TIMEOUT`.
    pub error: String,
    /// Step: `bind`, `connect`, `send`, `read`.
    pub stage: String,
    /// How long it took from the start of connect().
    pub after: Duration,
}

/// Connections that the probe holds open until told otherwise.
#[derive(Debug)]
pub struct Hold {
    /// How many are open.
    pub open: u64,
    /// The first answer of the probe.
    pub report: Value,
    process: Process,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

/// A program that lives until this value goes, or the process that made it, and connects when it is told to.
#[derive(Debug)]
pub struct Program {
    process: Process,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

/// Connections made one after the other until stopped.
#[derive(Debug)]
pub struct Load {
    process: Process,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Pod {
    /// `weir-probe serve --at ADDR ARGS`: a server; waits until it listens.
    pub fn serve(&self, port: u16, args: &[&str]) -> Result<Process> {
        let process = self.place().serve(&format!("[::]:{port}"), args)?;
        self.wait_listening(port).with_context(|| process.log())?;
        Ok(process)
    }

    /// One connection of `weir-probe connect` from the pod.
    pub fn connect(&self, to: SocketAddr, args: &[&str]) -> Result<Result<Reply, ProbeError>> {
        self.place().connect(to, args)
    }

    /// As [`Pod::connect`], for stories in which it must work.
    pub fn reach(&self, to: SocketAddr, args: &[&str]) -> Result<Reply> {
        self.connect(to, args)?.map_err(|error| anyhow::anyhow!("{} to {to} {args:?}: {error}", self.name()))
    }

    /// As [`Pod::connect`], for stories in which it must fail.
    pub fn fail(&self, to: SocketAddr, args: &[&str]) -> Result<ProbeError> {
        match self.connect(to, args)? {
            Err(error) => Ok(error),
            Ok(reply) => bail!("{} reached {to} {args:?}, and should not: {}", self.name(), reply.raw),
        }
    }

    /// Opens connections and holds them.
    pub fn hold(&self, to: SocketAddr, args: &[&str]) -> Result<Hold> {
        let to = to.to_string();
        let all = [&["hold", "--to", &to], args].concat();
        let (process, stdin, mut stdout) = self.place().converse(&probe()?, &all)?;
        let line = read_line(&mut stdout).with_context(|| process.log())?;
        let report: Value = serde_json::from_str(&line)?;
        let open = report["open"].as_u64().context("no count in the probe's answer")?;
        Ok(Hold { open, report, process, stdin, stdout })
    }

    /// Makes connections one after the other until [`Load::stop`].
    pub fn load(&self, to: SocketAddr, args: &[&str]) -> Result<Load> {
        let to = to.to_string();
        let all = [&["load", "--to", &to], args].concat();
        let (process, stdin, mut stdout) = self.place().converse(&probe()?, &all)?;
        read_line(&mut stdout).with_context(|| process.log())?;
        Ok(Load { process, stdin, stdout })
    }

    /// Any verb of the probe that runs to its end; its JSON answer.
    pub fn probe(&self, args: &[&str]) -> Result<Value> {
        self.place().probe(args, Duration::from_secs(120))
    }
}

impl Place {
    /// Any verb of the probe that runs to its end; its JSON answer.
    pub fn probe(&self, args: &[&str], limit: Duration) -> Result<Value> {
        let text = self.output(&probe()?, args, limit)?.success()?;
        serde_json::from_str(&text).with_context(|| format!("probe {args:?} answered {text:?}"))
    }

    /// A server of the probe at an address; does not wait for it.
    pub fn serve(&self, at: &str, args: &[&str]) -> Result<Process> {
        self.spawn(&probe()?, &[&["serve", "--at", at], args].concat())
    }

    /// One connection.
    pub fn connect(&self, to: SocketAddr, args: &[&str]) -> Result<Result<Reply, ProbeError>> {
        let to = to.to_string();
        let raw = self.probe(&[&["connect", "--to", &to], args].concat(), Duration::from_secs(60))?;
        if raw["ok"] == true { reply(raw).map(Ok) } else { Ok(Err(refusal(&raw))) }
    }
}

impl Place {
    /// Starts a program of this name (of its file and of its process), which connects when it is told to.
    pub fn program(&self, name: &str) -> Result<Program> {
        let dir = self.dir.join("programs");
        std::fs::create_dir_all(&dir)?;
        let file = dir.join(name);
        if !file.exists() {
            std::fs::copy(probe()?, &file).with_context(|| format!("cannot make {}", file.display()))?;
        }
        let (process, stdin, stdout) = self.converse(&file.to_string_lossy(), &["obey"])?;
        Ok(Program { process, stdin, stdout })
    }
}

impl Program {
    /// One connection, as [`Place::connect`].
    pub fn connect(&mut self, to: SocketAddr, args: &[&str]) -> Result<Result<Reply, ProbeError>> {
        writeln!(self.stdin, "connect --to {to} {}", args.join(" "))?;
        let line = read_line(&mut self.stdout).with_context(|| self.process.log())?;
        let raw: Value = serde_json::from_str(&line)?;
        if raw["ok"] == true { reply(raw).map(Ok) } else { Ok(Err(refusal(&raw))) }
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may be in a cgroup that is not the run's.
        let _ = self.process.kill();
    }
}

impl Hold {
    /// Sends one command and gives the answer.
    pub fn tell(&mut self, command: &str) -> Result<Value> {
        writeln!(self.stdin, "{command}")?;
        let line = read_line(&mut self.stdout).with_context(|| self.process.log())?;
        Ok(serde_json::from_str(&line)?)
    }

    /// How many connections still carry data both ways.
    pub fn alive(&mut self) -> Result<u64> {
        self.tell("ping")?["alive"].as_u64().context("no count in the probe's answer")
    }

    /// Ends the probe and with it its connections.
    pub fn end(self) -> Result<()> {
        self.process.kill()
    }
}

impl Load {
    /// Ends the load; the probe's report has `attempts`, `ok`, `errors` by name, `longest_ms`.
    pub fn stop(self) -> Result<Value> {
        let Self { process, stdin, mut stdout } = self;
        drop(stdin);
        let line = read_line(&mut stdout).with_context(|| process.log())?;
        process.wait(Duration::from_secs(60))?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} after {:?}", self.error, self.stage, self.after)
    }
}

fn probe() -> Result<String> {
    Ok(tool::binary("weir-probe")?.to_string_lossy().into_owned())
}

fn reply(raw: Value) -> Result<Reply> {
    let address = |key: &str| raw[key].as_str().and_then(|text| text.parse().ok());
    Ok(Reply {
        local: address("local").with_context(|| format!("no local address in {raw}"))?,
        peer: address("peer").with_context(|| format!("no peer address in {raw}"))?,
        seen: address("seen"),
        server: address("server"),
        banner: raw["banner"].as_str().map(str::to_owned),
        connect: Duration::from_micros(raw["connect_us"].as_u64().unwrap_or(0)),
        raw,
    })
}

fn refusal(raw: &Value) -> ProbeError {
    let text = |key: &str| raw[key].as_str().unwrap_or("?").to_owned();
    ProbeError {
        error: text("error"),
        stage: text("stage"),
        after: Duration::from_millis(raw["after_ms"].as_u64().unwrap_or(0)),
    }
}
