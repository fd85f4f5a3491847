//! The controller's process.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::{self, Memory};

/// A running controller; killed when this is dropped.
pub(crate) struct Controller {
    child: Child,
    log: PathBuf,
    pid: String,
    started: Instant,
    /// Discovery.
    pub(crate) port: SocketAddr,
    monitoring: SocketAddr,
}

impl Controller {
    /// Starts `program` with what the source says.
    pub(crate) fn start(program: &Path, source: &[String], dir: &Path) -> Result<Self> {
        let (port, monitoring, log) = (free_port()?, free_port()?, dir.join("controller.log"));
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new(program)
            .arg("run")
            .args(source)
            .args(["--listen", &port.to_string(), "--monitoring", &monitoring.to_string()])
            .args(["--admission", "none", "--log", "warn"])
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let pid = child.id().to_string();
        Ok(Self { child, log, pid, started: Instant::now(), port, monitoring })
    }

    /// Waits until it serves a whole mesh; how long that took.
    pub(crate) async fn ready(&mut self) -> Result<Duration> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                bail!("the controller has ended ({status}):\n{log}");
            }
            // It listens before it is ready; before that it refuses.
            if self.get("/healthz/ready").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return Ok(self.started.elapsed());
            }
            if self.started.elapsed() > PATIENCE {
                bail!("the controller is not ready after {PATIENCE:?}");
            }
            tokio::time::sleep(ASK).await;
        }
    }

    pub(crate) fn memory(&self) -> Result<Memory> {
        process::memory(&self.pid)
    }

    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        process::cpu_seconds(&self.pid)
    }

    pub(crate) fn cpu_of_threads(&self) -> Result<f64> {
        process::cpu_of_threads(&self.pid)
    }

    /// How long changes were collected before they were published: seconds in all, and how often.
    pub(crate) fn collected(&self) -> Result<(f64, f64)> {
        let page = self.get("/metrics")?;
        let value = |name: &str| {
            let line = page.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.trim().parse::<f64>().ok())
                .with_context(|| format!("the controller's metrics have no {name}"))
        };
        Ok((value("weir_index_publish_seconds_sum ")?, value("weir_index_publish_seconds_count ")?))
    }

    fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.monitoring, HTTP)?;
        stream.set_read_timeout(Some(HTTP))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: controller\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody has. Somebody may take it before the controller does, which then says so.
fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").context("no free port")?.local_addr()?)
}

/// How long a controller may take to be ready.
const PATIENCE: Duration = Duration::from_secs(300);
const ASK: Duration = Duration::from_millis(10);
const HTTP: Duration = Duration::from_secs(5);
