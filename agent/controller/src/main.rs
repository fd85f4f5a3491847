//! `weir-controller`: what the mesh is, for its agents. This file is the story of the process; the parts are crates of
//! their own (see ARCHITECTURE.md) and are joined in the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use weir_controller::cli::{self, Command};
use weir_controller::{Config, rotate, run, token};
use weir_process::{LogLevel, finished, misused, stopped};

fn main() -> ExitCode {
    let command = match cli::parse() {
        Ok(command) => command,
        Err(exit) => return exit,
    };
    match command {
        Command::Run(options) => start(&options),
        Command::Token(options) => finished(NAME, token::run(&options)),
        Command::RotateRoot(options) => finished(NAME, rotate::run(&options)),
    }
}

fn start(options: &cli::RunOptions) -> ExitCode {
    let config = match Config::build(options) {
        Ok(config) => config,
        Err(problems) => return misused(NAME, &problems),
    };
    match LogLevel::start(&config.log, config.log_json) {
        Ok(log_level) => stopped(run::run(config, log_level)),
        Err(error) => misused(NAME, &error),
    }
}

const NAME: &str = env!("CARGO_BIN_NAME");
