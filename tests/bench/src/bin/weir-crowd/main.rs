//! `weir-crowd`: a large mesh without its machines, around a real controller. `cargo xtask bench controller` runs it.
//!
//! ```text
//!   objects --> Kubernetes API in this process --watch--+
//!           \-> or a directory of YAML -------inotify---+--> weir-controller --TLS--> agents of this process: streams
//!                                                             (as released)    \----> one real agent's discovery,
//!                                                                                     in a process of its own
//! ```
//!
//! The pods are objects and nothing more. Agents hold a stream each and count what they get; what a picture of the mesh
//! costs an agent is seen in the real one.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

mod agent;
mod controller;
mod crowd;
mod measure;
mod mesh;
mod numbers;
mod process;
mod real;
mod source;

/// What a controller costs with a mesh of a size.
#[derive(Parser)]
#[command(name = "weir-crowd")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Measure(measure::MeasureArgs),
    Agent(real::AgentArgs),
}

fn main() -> ExitCode {
    match start(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weir-crowd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whatever ends it, what was begun is dropped: the controller, the real agent, and the directory of both.
fn start(command: Command) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        let work = async {
            match command {
                Command::Measure(args) => measure::run(&args).await,
                Command::Agent(args) => real::run(&args).await,
            }
        };
        tokio::select! {
            done = work => done,
            why = interrupted() => Err(anyhow::anyhow!("{}", why?)),
        }
    })
}

/// A signal, or the end of who started this: it holds the other end of our standard input.
async fn interrupted() -> Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let (gone, alone) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = gone.send(());
    });
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Ok("interrupted"),
        _ = terminate.recv() => Ok("terminated"),
        _ = alone => Ok("who started this is gone"),
    }
}
