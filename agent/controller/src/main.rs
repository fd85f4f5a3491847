//! `weir-controller`: what the mesh is, for its agents. This file is the story of the process; the parts are crates of
//! their own (see ARCHITECTURE.md) and are joined in the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use weir_controller::cli::{self, Command};
use weir_controller::{Config, rotate, run, token};
use weir_process::{EXIT_USAGE, LogLevel};

fn main() -> ExitCode {
    let command = match cli::parse() {
        Ok(command) => command,
        Err(exit) => return exit,
    };
    match command {
        Command::Run(options) => start(&options),
        Command::Token(options) => finish(token::run(&options)),
        Command::RotateRoot(options) => finish(rotate::run(&options)),
    }
}

fn start(options: &cli::RunOptions) -> ExitCode {
    let usage = |error: &dyn std::fmt::Display| {
        eprintln!("weir-controller: {error}");
        ExitCode::from(EXIT_USAGE)
    };
    let config = match Config::build(options) {
        Ok(config) => config,
        Err(problems) => return usage(&problems),
    };
    let log_level = match LogLevel::start(&config.log, config.log_json) {
        Ok(level) => level,
        Err(error) => return usage(&error),
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
            eprintln!("weir-controller: {error:#}");
            ExitCode::FAILURE
        }
    }
}
