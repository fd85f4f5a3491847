//! A reader at work.

use std::io::BufReader;
use std::process::{ChildStdin, ChildStdout};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::cast::program;
use crate::process::read_line;
use crate::{Pod, Process};

/// A reader that asks until it is told to stop.
#[derive(Debug)]
pub struct Reading {
    process: Process,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Pod {
    /// Starts a reader of a page over so many connections.
    pub fn read(&self, url: &str, connections: usize, args: &[&str]) -> Result<Reading> {
        let connections = connections.to_string();
        let args = [&["reader", url, "--connections", &connections], args].concat();
        let (process, stdin, mut stdout) = self.place().converse(&program()?, &args)?;
        read_line(&mut stdout).with_context(|| process.log())?;
        Ok(Reading { process, stdin, stdout })
    }
}

impl Reading {
    /// Tells it to stop, and gives what it has counted: `asked`, `answers` by status and version, `failures` by reason,
    /// `longest_ms`, `revisions`.
    pub fn stop(self) -> Result<Value> {
        let Self { process, stdin, mut stdout } = self;
        drop(stdin);
        let line = read_line(&mut stdout).with_context(|| process.log())?;
        process.wait(Duration::from_secs(30))?;
        Ok(serde_json::from_str(&line)?)
    }
}
