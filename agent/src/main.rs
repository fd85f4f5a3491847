//! `weir-agent`: the node daemon. It captures the traffic of the node's enrolled pods, carries it in
//! mTLS tunnels, and shows what it does. This file is the story of the process; the parts are crates
//! of their own (see ARCHITECTURE.md) and are joined in [`run`].
#![forbid(unsafe_code)]

mod admin;
mod cli;
mod config;
mod control;
mod hold;
mod metrics;
mod network;
mod node;
mod pods;
mod reconcile;
mod run;
mod trace;

use std::process::ExitCode;

use weir_process::{LogLevel, finished, misused, stopped};

fn main() -> ExitCode {
    let command = match cli::parse() {
        Ok(command) => command,
        Err(exit) => return exit,
    };
    match command {
        cli::Command::Run(settings) => start(&settings),
        cli::Command::Trace(options) => finished(NAME, trace::run(&options)),
        cli::Command::Hold(options) => finished(NAME, hold::run(&options)),
        cli::Command::Cni(cli::CniCommand::Uninstall(options)) => finished(NAME, uninstall(&options)),
    }
}

fn start(settings: &cli::RunOptions) -> ExitCode {
    let config = match config::Config::build(settings) {
        Ok(config) => config,
        Err(problems) => return misused(NAME, &problems),
    };
    match LogLevel::start(&config.log.filter, config.log.json) {
        Ok(log_level) => stopped(config.found().and_then(|config| run::run(config, log_level))),
        Err(error) => misused(NAME, &error),
    }
}

fn uninstall(options: &cli::UninstallOptions) -> anyhow::Result<()> {
    for line in node::install::remove(options.cni_bin_dir.as_ref(), options.cni_conf_dir.as_ref())? {
        println!("{line}");
    }
    Ok(())
}

const NAME: &str = env!("CARGO_BIN_NAME");
