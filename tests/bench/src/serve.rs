//! The server half of both loads.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::MESSAGE;

/// Answer each 64 bytes with 64 bytes, and close after the first answer
#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Keep connections open and answer as often as asked
    #[arg(long)]
    keep: bool,
    /// Connections served at once (without --keep)
    #[arg(long, default_value_t = 32)]
    threads: usize,
}

/// Serves until it is killed.
pub(crate) fn run(args: &ServeArgs) -> Result<()> {
    let listener =
        TcpListener::bind(args.listen).with_context(|| format!("cannot listen on {}", args.listen))?;
    if args.keep { keep(listener) } else { once(listener, args.threads) }
}

/// Threads that block in accept: the fewest system calls per connection, so that what the mesh adds is not
/// hidden behind what the server itself costs.
fn once(listener: TcpListener, threads: usize) -> ! {
    let listener = Arc::new(listener);
    for _ in 1..threads {
        let listener = Arc::clone(&listener);
        std::thread::spawn(move || answer_all(&listener));
    }
    answer_all(&listener)
}

fn answer_all(listener: &TcpListener) -> ! {
    loop {
        // A client that gave up counts itself; the server goes on.
        let _ = listener.accept().and_then(|(stream, _)| answer(stream));
    }
}

/// The server closes first, so that TIME_WAIT stays on its side and the client does not run out of ports.
fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut message = [0; MESSAGE];
    stream.read_exact(&mut message)?;
    stream.write_all(&message)
}

fn keep(listener: TcpListener) -> Result<()> {
    listener.set_nonblocking(true).context("cannot make the listener non-blocking")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().context("no runtime")?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener).context("cannot register the listener")?;
        loop {
            let (stream, _) = listener.accept().await.context("cannot accept")?;
            tokio::spawn(echo(stream));
        }
    })
}

async fn echo(mut stream: tokio::net::TcpStream) -> std::io::Result<()> {
    let mut message = [0; MESSAGE];
    loop {
        stream.read_exact(&mut message).await?;
        stream.write_all(&message).await?;
    }
}
