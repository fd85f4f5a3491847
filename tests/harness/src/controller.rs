//! The controller process of a cluster: the real binary, on node `a`, reading a directory of YAML.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::Value;

use crate::cleanup::lock;
use crate::process::tail;
use crate::world::MANIFESTS;
use crate::{Metrics, Place, Process, http, tool, until};

/// How long a controller may take from its start to ready.
const READY: Duration = Duration::from_secs(30);
/// How long SIGTERM may take.
const STOP: Duration = Duration::from_secs(30);

/// The controller. One process at a time; its logs are kept from one to the next.
#[derive(Clone, Debug)]
pub struct Controller {
    dir: PathBuf,
    place: Place,
    args: Vec<String>,
    processes: Arc<Mutex<Vec<Process>>>,
}

impl Controller {
    pub(crate) fn new(dir: PathBuf, place: Place, args: Vec<String>) -> Self {
        Self { dir, place, args, processes: Arc::default() }
    }

    /// Starts the controller and waits until it is ready; nothing when it runs.
    pub fn start(&self) -> Result<()> {
        self.launch()?;
        let process = self.current()?;
        let outcome = until("the controller to be ready", READY, || match process.expect_alive() {
            Err(ended) => Some(Err(ended)),
            Ok(()) => matches!(self.get("/healthz/ready"), Ok((200, _))).then_some(Ok(())),
        });
        outcome.and_then(|ready| ready).with_context(|| tail(&process.log(), 30))
    }

    /// Starts the controller without waiting; nothing when it runs.
    pub fn launch(&self) -> Result<()> {
        if !self.running() {
            let process = self.place.spawn(&program()?, &self.args())?;
            lock(&self.processes).push(process);
        }
        Ok(())
    }

    /// Whether the process lives.
    #[must_use]
    pub fn running(&self) -> bool {
        lock(&self.processes).last().is_some_and(Process::alive)
    }

    /// The running (or last) process.
    pub fn current(&self) -> Result<Process> {
        lock(&self.processes).last().cloned().context("the controller was never started")
    }

    /// kill -9.
    pub fn kill(&self) -> Result<()> {
        self.current()?.kill()
    }

    /// SIGTERM, and waits for the end.
    pub fn terminate(&self) -> Result<ExitStatus> {
        let process = self.current()?;
        process.signal(Signal::TERM)?;
        process.wait(STOP)
    }

    /// Runs `weir-controller` with other arguments to its end, where the controller runs.
    pub fn command(&self, args: &[&str]) -> Result<String> {
        self.place.output(&program()?, args, STOP)?.success()
    }

    /// Logs of all its processes, oldest first.
    #[must_use]
    pub fn log_text(&self) -> String {
        lock(&self.processes).iter().map(Process::log).collect()
    }

    /// One scrape of its metrics.
    pub fn metrics(&self) -> Result<Metrics> {
        match self.get("/metrics")? {
            (200, body) => Ok(Metrics::parse(&body)),
            (status, body) => bail!("metrics: {status} {body}"),
        }
    }

    /// One of its `/debug/` pages.
    pub fn debug(&self, page: &str) -> Result<Value> {
        match self.get(&format!("/debug/{page}"))? {
            (200, body) => serde_json::from_str(&body).with_context(|| format!("/debug/{page} is not JSON")),
            (status, body) => bail!("/debug/{page}: {status} {body}"),
        }
    }

    /// GET on its monitoring port.
    pub fn get(&self, path: &str) -> Result<(u16, String)> {
        let at: SocketAddr = (IpAddr::V4(Ipv4Addr::LOCALHOST), 15014).into();
        http::get(&self.place.netns, at, path)
    }

    /// Directory with the CA and the keys of the agents' tokens.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.dir.join("control")
    }

    /// What an agent needs to find and trust this controller; makes the node's token.
    pub(crate) fn agent_args(&self, node: &str, netns: &str) -> Result<Vec<(&'static str, String)>> {
        let mut args = self.client_args(node, node, "weir-system/weir-agent")?;
        args.push(("--pod-netns", format!("/run/netns/{netns}-{{name}}")));
        Ok(args)
    }

    /// What a process of this account on a node needs to find and trust this controller; makes its token, `token-{name}`.
    pub(crate) fn client_args(
        &self,
        name: &str,
        node: &str,
        account: &str,
    ) -> Result<Vec<(&'static str, String)>> {
        let state = self.state_dir().to_string_lossy().into_owned();
        let token =
            self.command(&["token", "--state-dir", &state, "--node", node, "--service-account", account])?;
        let file = self.dir.join(format!("token-{name}"));
        std::fs::write(&file, token)?;
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        Ok(vec![
            ("--xds-address", "https://10.9.100.1:15012".to_owned()),
            ("--control-host", "weir-controller.weir-system.svc".to_owned()),
            ("--token-file", text(file)),
            ("--root-cert-file", text(self.state_dir().join("ca/root-cert.pem"))),
        ])
    }

    fn args(&self) -> Vec<String> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut args = vec!["run".to_owned()];
        let mut flag = |name: &str, value: String| {
            if !self.args.iter().any(|arg| arg == name) {
                args.extend([name.to_owned(), value]);
            }
        };
        flag("--source", format!("dir:{}", text(self.dir.join(MANIFESTS))));
        flag("--state-dir", text(self.state_dir()));
        flag("--log-format", "json".into());
        let level = std::env::var("WEIR_CONTROLLER_LOG").unwrap_or_else(|_| "info".into());
        flag("--log", level);
        let dir = text(self.dir.clone());
        args.extend(self.args.iter().map(|arg| arg.replace("{dir}", &dir)));
        args
    }
}

fn program() -> Result<String> {
    Ok(tool::binary("weir-controller")?.to_string_lossy().into_owned())
}
