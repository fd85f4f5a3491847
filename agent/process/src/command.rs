//! How a process begins and ends: its arguments, and the code that it leaves with.

use std::fmt::Display;
use std::process::ExitCode;

use clap::Parser;

/// `EX_USAGE` of sysexits.h: the configuration is wrong; a supervisor need not try again.
const EXIT_USAGE: u8 = 64;

/// The process's arguments.
///
/// # Errors
/// The code to leave with: there was an error of usage, or only help was asked for. It has been printed.
pub fn arguments<C: Parser>() -> Result<C, ExitCode> {
    C::try_parse().map_err(|error| {
        let _ = error.print();
        if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS }
    })
}

/// Says what is wrong with the configuration of `name`, and gives the code to leave with.
pub fn misused(name: &str, problem: &dyn Display) -> ExitCode {
    eprintln!("{name}: {problem}");
    ExitCode::from(EXIT_USAGE)
}

/// Says why a command of `name` failed, if it did, and gives the code to leave with.
pub fn finished(name: &str, result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

/// As [`finished`], for a process that has a log by now.
pub fn stopped(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("stopped: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes. Many have their cause's words in their own: those are not said twice.
fn told(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |said, cause| match cause.to_string() {
        cause if said.is_empty() => cause,
        cause if said.ends_with(&cause) => said,
        cause => format!("{said}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn what_an_error_has_of_its_cause_is_said_once() {
        let cause = anyhow!("no such file");
        let own = cause.context("cannot read x: no such file");
        assert_eq!(told(&own), "cannot read x: no such file");
        assert_eq!(told(&own.context("no mesh")), "no mesh: cannot read x: no such file");
    }
}
