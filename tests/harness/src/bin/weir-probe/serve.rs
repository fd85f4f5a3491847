//! A server that tells its clients who it takes them for.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::Context;
use clap::ValueEnum;
use serde_json::json;
use socket2::{Domain, Protocol, Socket, Type};

use crate::{dial, transfer};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address to listen at; `[::]` takes both IP versions.
    #[arg(long, required = true)]
    at: Vec<SocketAddr>,
    /// Ports from the given one upwards.
    #[arg(long, default_value_t = 1)]
    spread: u16,
    /// What to do with a client.
    #[arg(long, value_enum, default_value = "whoami")]
    mode: Mode,
    #[command(flatten)]
    listen: Listen,
}

/// How the listener is prepared.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Listen {
    /// IPPROTO_MPTCP.
    #[arg(long)]
    pub(crate) mptcp: bool,
    /// SO_BINDTODEVICE.
    #[arg(long)]
    pub(crate) device: Option<String>,
    /// Address reuse.
    #[arg(long, value_enum, default_value = "addr")]
    pub(crate) reuse: Reuse,
    /// Accept queue.
    #[arg(long, default_value_t = 1024)]
    pub(crate) backlog: i32,
}

/// Address reuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reuse {
    /// None.
    None,
    /// SO_REUSEADDR.
    Addr,
    /// SO_REUSEPORT.
    Port,
    /// Both.
    Both,
}

/// What to do with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Answer each line with the client's and the own address; `bye` ends the connection.
    Whoami,
    /// Speak first, then as `whoami`.
    Banner,
    /// After one line, RST.
    Rst,
    /// RST at once.
    RstNow,
    /// After one line, FIN.
    Fin,
    /// The other end of `transfer`.
    Transfer,
    /// Listen, never accept.
    Stuck,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let mut listeners = Vec::new();
    for at in &args.at {
        for step in 0..args.spread {
            let at = SocketAddr::new(at.ip(), at.port() + step);
            listeners.push(args.listen.open(at).with_context(|| format!("cannot listen at {at}"))?);
        }
    }
    println!("{}", json!({ "event": "listening", "count": listeners.len() }));
    let threads: Vec<_> = listeners
        .into_iter()
        .map(|listener| small_thread(move || accept(&listener, args.mode)))
        .collect::<Result<_, _>>()?;
    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("an accept loop panicked"))?;
    }
    Ok(())
}

impl Listen {
    pub(crate) fn open(&self, at: SocketAddr) -> io::Result<TcpListener> {
        let socket = self.bound(at)?;
        socket.listen(self.backlog)?;
        Ok(socket.into())
    }

    pub(crate) fn bound(&self, at: SocketAddr) -> io::Result<Socket> {
        let protocol = if self.mptcp { Protocol::MPTCP } else { Protocol::TCP };
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(protocol))?;
        socket.set_reuse_address(matches!(self.reuse, Reuse::Addr | Reuse::Both))?;
        socket.set_reuse_port(matches!(self.reuse, Reuse::Port | Reuse::Both))?;
        if at.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        if let Some(device) = &self.device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        socket.bind(&at.into())?;
        Ok(socket)
    }
}

/// Thousands of connections, each with a thread that needs little.
pub(crate) fn small_thread(f: impl FnOnce() + Send + 'static) -> io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().stack_size(128 << 10).spawn(f)
}

fn accept(listener: &TcpListener, mode: Mode) {
    if mode == Mode::Stuck {
        std::thread::park();
    }
    loop {
        match listener.accept() {
            Ok((stream, peer)) => {
                let served = small_thread(move || attend(stream, peer, mode));
                if let Err(error) = served {
                    println!("{}", json!({ "event": "error", "error": error.to_string() }));
                }
            }
            Err(error) => println!("{}", json!({ "event": "error", "error": dial::name(&error) })),
        }
    }
}

fn attend(mut stream: TcpStream, peer: SocketAddr, mode: Mode) {
    let peer = dial::plain(peer);
    let end = match converse(&mut stream, peer, mode) {
        Ok(()) => "FIN".to_owned(),
        Err(error) => dial::name(&error),
    };
    println!("{}", json!({ "event": "end", "peer": peer.to_string(), "how": end }));
}

fn converse(stream: &mut TcpStream, peer: SocketAddr, mode: Mode) -> io::Result<()> {
    let local = dial::plain(stream.local_addr()?);
    stream.set_nodelay(true)?;
    match mode {
        Mode::Stuck => Ok(()),
        Mode::RstNow => {
            dial::reset(stream);
            Ok(())
        }
        Mode::Rst => {
            dial::line_of(stream)?;
            dial::reset(stream);
            Ok(())
        }
        Mode::Fin => dial::line_of(stream).map(drop),
        Mode::Transfer => transfer::serve(stream),
        Mode::Banner => {
            writeln!(stream, "welcome {peer}")?;
            whoami(stream, peer, local)
        }
        Mode::Whoami => whoami(stream, peer, local),
    }
}

fn whoami(stream: &mut TcpStream, peer: SocketAddr, local: SocketAddr) -> io::Result<()> {
    let mut pending = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        pending.extend_from_slice(&chunk[..count]);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            let echo = String::from_utf8_lossy(&line[..end]).into_owned();
            let answer = json!({ "seen": peer.to_string(), "server": local.to_string(), "echo": echo });
            stream.write_all(format!("{answer}\n").as_bytes())?;
            if echo == "bye" {
                return Ok(());
            }
        }
    }
}
