//! The agent process of one node: the real binary, started, killed and asked from outside.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::Value;

use crate::cgroup::Cgroup;
use crate::cleanup::lock;
use crate::process::tail;
use crate::world::World;
use crate::{Metrics, Place, Process, http, tool, until};

/// How long an agent may take from its start to ready, self-test and program loading included.
const READY: Duration = Duration::from_secs(30);
/// How long SIGTERM may take.
const DRAIN: Duration = Duration::from_secs(30);

/// The agent of one node. One process at a time; its logs are kept from one to the next.
#[derive(Debug)]
pub struct Agent {
    world: Arc<World>,
    node: String,
    place: Place,
    cgroups: [Cgroup; 2],
    processes: Mutex<Vec<Process>>,
}

impl Agent {
    pub(crate) fn new(
        world: &Arc<World>,
        node: &str,
        place: Place,
        kubepods: &Cgroup,
        kubelet: &Cgroup,
    ) -> Self {
        Self {
            world: world.clone(),
            node: node.to_owned(),
            place,
            cgroups: [kubepods.clone(), kubelet.clone()],
            processes: Mutex::default(),
        }
    }

    /// Starts the agent and waits until it is ready; nothing when it runs.
    pub fn start(&self) -> Result<()> {
        self.launch()?;
        self.wait_ready()
    }

    /// Starts the agent without waiting; nothing when it runs.
    pub fn launch(&self) -> Result<()> {
        if self.running() {
            return Ok(());
        }
        self.launch_next()
    }

    /// Starts another agent beside the one that runs, if one does, without waiting. It is the agent from now on.
    pub fn launch_next(&self) -> Result<()> {
        let binary = tool::binary("weir-agent")?;
        let process = self.place.spawn(&binary.to_string_lossy(), &self.args()?)?;
        lock(&self.processes).push(process);
        Ok(())
    }

    /// Starts a holder that listens at this socket.
    pub fn hold(&self, socket: &Path) -> Result<Process> {
        let binary = tool::binary("weir-agent")?;
        let args = ["hold", "--socket", &socket.to_string_lossy()];
        let process = self.place.spawn(&binary.to_string_lossy(), &args)?;
        until("the holder's socket", Duration::from_secs(5), || socket.exists().then_some(()))?;
        Ok(process)
    }

    /// Waits until the ready endpoint says so.
    pub fn wait_ready(&self) -> Result<()> {
        let what = format!("agent of node {} to be ready", self.node);
        let process = self.current()?;
        // A process that has ended will not get ready: that is said at once.
        let outcome = until(&what, READY, || match process.expect_alive() {
            Err(ended) => Some(Err(ended)),
            Ok(()) => matches!(self.get(15021, "/healthz/ready"), Ok((200, _))).then_some(Ok(())),
        });
        outcome.and_then(|ready| ready).with_context(|| tail(&process.log(), 30))
    }

    /// Whether the process lives.
    #[must_use]
    pub fn running(&self) -> bool {
        lock(&self.processes).last().is_some_and(Process::alive)
    }

    /// Process id of the running agent.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.current()?.pid())
    }

    /// The running (or last) process.
    pub fn current(&self) -> Result<Process> {
        lock(&self.processes)
            .last()
            .cloned()
            .with_context(|| format!("the agent of node {} was never started", self.node))
    }

    /// kill -9.
    pub fn kill(&self) -> Result<()> {
        self.current()?.kill()
    }

    /// SIGTERM, and waits for the end; gives the status and how long it took.
    pub fn terminate(&self) -> Result<(ExitStatus, Duration)> {
        let start = Instant::now();
        let process = self.current()?;
        process.signal(Signal::TERM)?;
        Ok((process.wait(DRAIN)?, start.elapsed()))
    }

    /// Place of the agent, for programs that must be exempt as the agent is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// One scrape of its metrics.
    pub fn metrics(&self) -> Result<Metrics> {
        match self.get(15020, "/metrics")? {
            (200, body) => Ok(Metrics::parse(&body)),
            (status, body) => bail!("metrics: {status} {body}"),
        }
    }

    /// Its config dump.
    pub fn config_dump(&self) -> Result<Value> {
        match self.get(15000, "/config_dump")? {
            (200, body) => serde_json::from_str(&body).context("the config dump is not JSON"),
            (status, body) => bail!("config dump: {status} {body}"),
        }
    }

    /// GET on one of its ports at 127.0.0.1 of the node.
    pub fn get(&self, port: u16, path: &str) -> Result<(u16, String)> {
        http::get(&self.place.netns, self.address(port), path)
    }

    /// POST without a body, for the log level.
    pub fn post(&self, port: u16, path: &str) -> Result<(u16, String)> {
        http::request(&self.place.netns, self.address(port), "POST", path)
    }

    /// Logs of all its processes, oldest first; `None` when it was never started.
    #[must_use]
    pub fn log_text(&self) -> Option<String> {
        let processes = lock(&self.processes);
        (!processes.is_empty()).then(|| processes.iter().map(Process::log).collect())
    }

    /// Access log lines that have all the `fields` (name, part of the value).
    #[must_use]
    pub fn access_log(&self, fields: &[(&str, &str)]) -> Vec<Value> {
        let log = self.log_text().unwrap_or_default();
        log.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["target"].as_str().is_some_and(|target| target.starts_with("access")))
            .filter(|line| {
                fields.iter().all(|(name, part)| field(line, name).is_some_and(|value| value.contains(part)))
            })
            .collect()
    }

    /// Waits for an access log line that has all the `fields`.
    pub fn wait_access_log(&self, fields: &[(&str, &str)]) -> Result<Value> {
        until(
            &format!("an access log line of node {} with {fields:?}", self.node),
            Duration::from_secs(5),
            || self.access_log(fields).into_iter().next(),
        )
    }

    /// The command line, without the program.
    fn args(&self) -> Result<Vec<String>> {
        let dir = self.world.run.dir();
        let path = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
        let [kubepods, kubelet] = &self.cgroups;
        let fill = |arg: String| arg.replace("{dir}", &dir.to_string_lossy()).replace("{node}", &self.node);
        let own: Vec<String> = self.world.agent_args(&self.node).into_iter().map(fill).collect();
        let told = own.iter().any(|arg| arg == "--node-pods");
        let source = match self.world.controller.get() {
            Some(controller) => controller.agent_args(&self.node, self.place.netns.name())?,
            None => vec![("--mesh-file", path(self.world.mesh_path())), ("--ca-dir", path(dir.join("ca")))],
        };
        let mut args = vec!["run".to_owned()];
        let mut flag = |name: &str, value: String| {
            if !own.iter().any(|arg| arg == name) {
                args.extend([name.to_owned(), value]);
            }
        };
        flag("--node", self.node.clone());
        // Who is told of the node's pods finds their namespaces by itself.
        for (name, value) in source.into_iter().filter(|(name, _)| !(told && *name == "--pod-netns")) {
            flag(name, value);
        }
        flag("--pods-cgroup", path(kubepods.path().to_owned()));
        flag("--kubelet-cgroup", path(kubelet.path().to_owned()));
        flag("--bpffs", path(self.world.run.bpffs().join(&self.node)));
        flag("--runtime-dir", path(dir.join(format!("agent-{}", self.node))));
        flag("--admin", "127.0.0.1:15000".into());
        flag("--metrics", "0.0.0.0:15020".into());
        flag("--ready", "0.0.0.0:15021".into());
        flag("--workers", self.world.workers.to_string());
        let level = std::env::var("WEIR_AGENT_LOG").unwrap_or_else(|_| "info".into());
        flag("--log", level);
        flag("--log-format", "json".into());
        args.extend(own);
        Ok(args)
    }

    fn address(&self, port: u16) -> SocketAddr {
        (IpAddr::V4(Ipv4Addr::LOCALHOST), port).into()
    }
}

/// A field of a JSON log line, wherever the formatter puts it.
pub(crate) fn field(line: &Value, name: &str) -> Option<String> {
    let value = line.get(name).or_else(|| line.get("fields")?.get(name))?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}
