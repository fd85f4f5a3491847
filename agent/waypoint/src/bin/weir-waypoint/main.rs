//! `weir-waypoint`: serves the L7 half of services for one Gateway. This file is the story of the process; what it does is
//! the library's `run`.
#![forbid(unsafe_code)]

mod access_log;
mod admin;
mod cli;
mod config;
mod dump;
mod process;

use std::process::ExitCode;

use weir_process::{LogLevel, misused, stopped};

fn main() -> ExitCode {
    let cli::Command::Run(options) = match cli::parse() {
        Ok(command) => command,
        Err(exit) => return exit,
    };
    let config = match config::Config::build(&options) {
        Ok(config) => config,
        Err(problems) => return misused(NAME, &problems),
    };
    match LogLevel::start(&config.log.filter, config.log.json) {
        Ok(log_level) => stopped(process::run(config, log_level)),
        Err(error) => misused(NAME, &error),
    }
}

const NAME: &str = env!("CARGO_BIN_NAME");
