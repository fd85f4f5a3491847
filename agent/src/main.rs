//! `weir-agent`: the node daemon. It captures the traffic of the node's enrolled pods, carries it in
//! mTLS tunnels, and shows what it does. This file is the story of the process; the parts are crates
//! of their own (see ARCHITECTURE.md) and are joined in [`run`].
#![forbid(unsafe_code)]

mod admin;
mod cli;
mod config;
mod control;
mod hold;
mod logging;
mod metrics;
mod network;
mod pods;
mod reconcile;
mod run;
mod signals;
mod trace;

use std::process::ExitCode;

/// `EX_USAGE` of sysexits.h: the configuration is wrong; a supervisor need not try again.
const EXIT_USAGE: u8 = 64;

fn main() -> ExitCode {
    let command = match cli::parse() {
        Ok(command) => command,
        Err(exit) => return exit,
    };
    match command {
        cli::Command::Run(settings) => start(&settings),
        cli::Command::Trace(options) => finish(trace::run(&options)),
        cli::Command::Hold(options) => finish(hold::run(&options)),
    }
}

fn start(settings: &cli::RunOptions) -> ExitCode {
    let config = match config::Config::build(settings) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("weir-agent: {problems}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let log_level = match logging::start(&config.log) {
        Ok(handle) => handle,
        Err(error) => {
            eprintln!("weir-agent: {error}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match run::run(config, log_level) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("stopped: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weir-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}
