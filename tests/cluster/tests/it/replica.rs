//! A controller process on this machine, with a kubeconfig.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use weir_harness::{binary, until_ok};

use crate::api::{ApiUnderTest, LONG};

/// The real binary. It is killed when this is dropped.
pub(crate) struct Replica {
    child: Child,
    monitoring: u16,
    log: PathBuf,
    _dir: TempDir,
}

impl Replica {
    /// Starts one; its root namespace is the story's.
    pub(crate) fn start(api: &ApiUnderTest) -> Result<Self> {
        Self::start_with(api, &["--admission", "none"])
    }

    /// The same, with these flags.
    pub(crate) fn start_with(api: &ApiUnderTest, flags: &[&str]) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let log = dir.path().join("log");
        let (monitoring, listen) = (free_port()?, free_port()?);
        let mut command = Command::new(binary("weir-controller")?);
        command.args(["run", "--source", "kubernetes"]).args(flags);
        command.arg("--kubeconfig").arg(&api.kubeconfig);
        command.args(["--root-namespace", &api.namespace]);
        command.args(["--monitoring", &format!("127.0.0.1:{monitoring}")]);
        command.args(["--listen", &format!("127.0.0.1:{listen}")]);
        let file = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().context("weir-controller did not start")?;
        Ok(Self { child, monitoring, log, _dir: dir })
    }

    /// Starts one and waits until it is ready.
    pub(crate) fn ready(api: &ApiUnderTest) -> Result<Self> {
        let replica = Self::start(api)?;
        until_ok("the controller to be ready", LONG, || replica.is_ready()).with_context(|| replica.log())?;
        Ok(replica)
    }

    /// Fails with what it says while it is not.
    pub(crate) fn is_ready(&self) -> Result<()> {
        match self.get("/healthz/ready")? {
            (200, _) => Ok(()),
            (status, text) => bail!("{status} {text}"),
        }
    }

    /// Whether it is the one that writes.
    pub(crate) fn leads(&self) -> Result<bool> {
        let (_, text) = self.get("/metrics")?;
        Ok(text.lines().any(|line| line.contains("leader") && line.ends_with(" 1")))
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn stop(&mut self) -> Result<()> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { bail!("{status}: {}", self.log()) }
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A page of the monitoring endpoint.
    pub(crate) fn get(&self, path: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.monitoring))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no status")?;
        Ok((status, text))
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of a controller:\n{}", self.log());
        }
        let _ = self.kill();
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
