//! `weir-echo` in pods: a server that answers each request with what it was, and a client that tells what it got.

use std::io::{BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::process::read_line;
use crate::{Pod, Process, tool};

/// A client at work in a pod. What it can be asked is in `tests/netns/src/bin/weir-echo/ask.rs`.
#[derive(Debug)]
pub struct Asker {
    process: Process,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Pod {
    /// Serves HTTP/1, HTTP/2 and gRPC on these ports, by the pod's name.
    pub fn echo(&self, ports: &[u16]) -> Result<Process> {
        let mut args = vec!["serve".to_owned(), "--name".into(), self.name().into()];
        args.extend(ports.iter().map(|port| format!("[::]:{port}")));
        let process = self.spawn(&program()?, &args)?;
        ports.iter().try_for_each(|port| self.wait_listening(*port)).with_context(|| process.log())?;
        Ok(process)
    }

    /// Starts a client.
    pub fn asker(&self) -> Result<Asker> {
        let (process, stdin, stdout) = self.place().converse(&program()?, &["ask"])?;
        Ok(Asker { process, stdin, stdout })
    }
}

impl Asker {
    /// Asks, and gives the answers, one for each time.
    pub fn ask(&mut self, ask: &Value) -> Result<Vec<Value>> {
        match self.order(&json!({"ask": ask}))? {
            Value::Array(answers) => Ok(answers),
            other => bail!("{ask}: {other}"),
        }
    }

    /// Opens a call that stays open; there is one at a time.
    pub fn open(&mut self, ask: &Value) -> Result<()> {
        self.order(&json!({"open": ask})).map(drop)
    }

    /// One message more in the open call, and what is said to it.
    pub fn say(&mut self, text: &str) -> Result<Value> {
        self.order(&json!({"say": text}))
    }

    /// No more messages in the open call; gives how it ended.
    pub fn close(&mut self) -> Result<Value> {
        self.order(&json!("close"))
    }

    fn order(&mut self, order: &Value) -> Result<Value> {
        writeln!(self.stdin, "{order}")?;
        let line = read_line(&mut self.stdout).with_context(|| self.process.log())?;
        let answer: Value = serde_json::from_str(&line)?;
        match answer.get("error") {
            Some(error) => bail!("{order}: {error}"),
            None => Ok(answer),
        }
    }
}

fn program() -> Result<String> {
    Ok(tool::binary("weir-echo")?.to_string_lossy().into_owned())
}
