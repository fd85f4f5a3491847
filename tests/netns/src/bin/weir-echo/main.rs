//! Requests and calls, seen from both ends: a server that answers with what it was asked, and a client that tells what it got.
//!
//! Both speak HTTP/1.1, HTTP/2 without TLS, and gRPC of any service: a method's last name says what kind of call it is
//! (`Unary`, `Client`, `Server`, `Bidi`), and messages are text.
#![forbid(unsafe_code)]

mod ask;
mod call;
mod frames;
mod serve;

use std::net::SocketAddr;

use anyhow::Result;
use clap::Parser;

#[derive(Parser)]
#[command(name = "weir-echo", version)]
enum Cli {
    /// Answer requests with what they were, as JSON
    Serve {
        /// Said in each answer
        #[arg(long)]
        name: String,
        /// Where to listen
        #[arg(required = true)]
        at: Vec<SocketAddr>,
    },
    /// Do what lines of JSON on standard input say, and answer each with one line
    Ask,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let work = async {
        match Cli::parse() {
            Cli::Serve { name, at } => serve::serve(&name, &at).await,
            Cli::Ask => ask::lines().await,
        }
    };
    tokio::task::LocalSet::new().run_until(work).await
}
