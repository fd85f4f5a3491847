//! `weir-load`: the loads of `cargo xtask bench` for which Debian has no well-kept generator.
//!
//! ```text
//!   weir-load short -> weir-load serve            connect, 64 bytes there, 64 bytes back, close
//!   weir-load hold  -> weir-load serve --keep     many open connections that do nothing
//! ```
//!
//! Each prints one JSON object per result on stdout. It knows nothing of Weir: it is an application.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod hold;
mod sample;
mod serve;
mod short;

/// Connection loads for measuring a service mesh.
#[derive(Parser)]
#[command(name = "weir-load")]
struct Cli {
    #[command(subcommand)]
    load: Load,
}

#[derive(Subcommand)]
enum Load {
    Serve(serve::ServeArgs),
    Short(short::ShortArgs),
    Hold(hold::HoldArgs),
}

fn main() -> ExitCode {
    raise_file_limit();
    let result = match Cli::parse().load {
        Load::Serve(args) => serve::run(&args),
        Load::Short(args) => short::run(&args),
        Load::Hold(args) => hold::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weir-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Takes all the descriptors that this user may have: one connection is one descriptor. If it cannot be
/// done, the connections that do not fit are counted as failed, with the reason.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Size of a question and of an answer, bytes.
const MESSAGE: usize = 64;
