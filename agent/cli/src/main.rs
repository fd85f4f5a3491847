//! The command `weir`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use weir_cli::{Cli, Outcome};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match weir_cli::run(cli) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(EXIT_FOUND),
        Err(error) => {
            eprintln!("weir: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `EX_USAGE` of sysexits.h.
const EXIT_USAGE: u8 = 64;
/// The command did its work, and what it looked at is not as it should be.
const EXIT_FOUND: u8 = 2;
