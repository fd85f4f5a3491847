//! The mesh in a live cluster, from nothing to nothing: a program of its own, because its stories have one order. Programs run before
//! there is a mesh; it is installed, told what to do, upgraded, broken and taken away; and then all is as it was.
//!
//! `cargo xtask test live` runs it. `README.md` says what it needs.

use std::process::ExitCode;

use clap::Parser;

mod cluster;
mod exec;
mod namespace;
mod picture;
mod pod;
mod report;
mod settings;
mod shop;
mod stories;
mod watch;
mod weir;

use report::Report;
use settings::Settings;

fn main() -> ExitCode {
    // Whoever lists all tests of the workspace (nextest) finds none here.
    if std::env::args().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    match Report::of(|report| stories::all(Settings::parse(), report)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("live: {error:#}");
            ExitCode::FAILURE
        }
    }
}
