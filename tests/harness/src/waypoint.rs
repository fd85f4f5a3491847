//! A waypoint of a cluster: the real binary in a pod of its own, and the Gateway that it serves.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::Value;

use crate::cleanup::lock;
use crate::process::tail;
use crate::world::World;
use crate::{Metrics, Node, Pod, Process, http, tool, until};

/// How long a waypoint may take from its start to ready.
const READY: Duration = Duration::from_secs(30);
/// How long SIGTERM may take.
const STOP: Duration = Duration::from_secs(40);

/// A waypoint. One process at a time; its logs are kept from one to the next.
#[derive(Clone, Debug)]
pub struct Waypoint {
    pod: Pod,
    args: Vec<String>,
    processes: Processes,
}

/// One after the other.
pub(crate) type Processes = Arc<Mutex<Vec<Process>>>;

/// What a waypoint is to be; [`WaypointBuilder::start`] makes it.
#[derive(Debug)]
pub struct WaypointBuilder {
    world: Arc<World>,
    node: Node,
    name: String,
    namespace: String,
    flags: Vec<String>,
    pod: Option<String>,
}

impl WaypointBuilder {
    pub(crate) fn new(world: &Arc<World>, node: &Node, name: &str) -> Self {
        Self {
            world: world.clone(),
            node: node.clone(),
            name: name.to_owned(),
            namespace: "default".into(),
            flags: Vec::new(),
            pod: None,
        }
    }

    /// On this node; else on the first.
    #[must_use]
    pub fn on(mut self, node: &Node) -> Self {
        self.node = node.clone();
        self
    }

    /// Kubernetes namespace, else `default`.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = namespace.to_owned();
        self
    }

    /// One of several pods, of this name; a Service of the Gateway's name that selects `waypoint: NAME` is the caller's to make.
    #[must_use]
    pub fn pod(mut self, name: &str) -> Self {
        self.pod = Some(name.to_owned());
        self
    }

    /// With one more flag.
    #[must_use]
    pub fn flag(mut self, name: &str, value: &str) -> Self {
        self.flags.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// Makes its pod (of a service account of its name, captured by nobody) and the Gateway, which names the pod's
    /// addresses; starts it and waits until it is ready. The controller must run.
    pub fn start(self) -> Result<Waypoint> {
        let (name, namespace) = (&self.name, &self.namespace);
        let pod_name = self.pod.as_ref().unwrap_or(name);
        let pod = self.node.pod(pod_name).namespace(namespace).service_account(name);
        let pod = pod.label("waypoint", name).start()?;
        let status = match self.pod {
            // By its Service.
            Some(_) => String::new(),
            None => format!("status:\n  addresses: [{{type: IPAddress, value: {}}}]\n", pod.v4()),
        };
        self.world.apply(
            &format!("waypoint-{namespace}-{name}"),
            &format!(
                "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n\
                 metadata: {{name: {name}, namespace: {namespace}}}\n\
                 spec:\n  gatewayClassName: weir-waypoint\n  \
                 listeners: [{{name: mesh, port: 15008, protocol: HBONE}}]\n{status}"
            ),
        )?;
        let controller = self.world.controller.get().context("a waypoint lives from a controller")?;
        let mut args = vec!["run".to_owned()];
        let mut flag = |name: &str, value: String| args.extend([name.to_owned(), value]);
        flag("--gateway", format!("{namespace}/{name}"));
        let account = format!("{namespace}/{name}");
        for (name, value) in
            controller.client_args(&format!("waypoint-{pod_name}"), self.node.name(), &account)?
        {
            flag(name, value);
        }
        flag("--pod-name", pod_name.clone());
        flag("--pod-namespace", namespace.clone());
        flag("--service-account", name.clone());
        flag("--instance-ip", pod.v4().to_string());
        flag("--workers", self.world.workers.to_string());
        flag("--drain", "10s".into());
        if !self.flags.iter().any(|flag| flag == "--drain-delay") {
            flag("--drain-delay", "0s".into());
        }
        flag("--access-log", "json".into());
        flag("--log-format", "json".into());
        flag("--log", std::env::var("WEIR_WAYPOINT_LOG").unwrap_or_else(|_| "info".into()));
        args.extend(self.flags);
        let waypoint = Waypoint { pod, args, processes: Arc::default() };
        lock(&self.world.waypoints).push((pod_name.clone(), waypoint.processes.clone()));
        waypoint.start()?;
        Ok(waypoint)
    }
}

impl Waypoint {
    /// Starts it and waits until it is ready; nothing when it runs.
    pub fn start(&self) -> Result<()> {
        if !lock(&self.processes).last().is_some_and(Process::alive) {
            let program = tool::binary("weir-waypoint")?;
            let process = self.pod.spawn(&program.to_string_lossy(), &self.args)?;
            lock(&self.processes).push(process);
        }
        let process = self.current()?;
        let outcome = until("the waypoint to be ready", READY, || match process.expect_alive() {
            Err(ended) => Some(Err(ended)),
            Ok(()) => matches!(self.get(15021, "/healthz/ready"), Ok((200, _))).then_some(Ok(())),
        });
        let why = || {
            let pending = self.get(15021, "/healthz/ready").map(|(_, text)| text).unwrap_or_default();
            format!("{pending}\n{}", tail(&process.log(), 30))
        };
        outcome.and_then(|ready| ready).with_context(why)
    }

    /// Its pod.
    #[must_use]
    pub fn pod(&self) -> &Pod {
        &self.pod
    }

    /// The running (or last) process.
    pub fn current(&self) -> Result<Process> {
        lock(&self.processes).last().cloned().context("the waypoint was never started")
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

    /// Logs of all its processes, oldest first: what it says and the lines of its access log.
    #[must_use]
    pub fn log_text(&self) -> String {
        lock(&self.processes).iter().map(Process::log).collect()
    }

    /// One scrape of its metrics.
    pub fn metrics(&self) -> Result<Metrics> {
        match self.get(15020, "/stats/prometheus")? {
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

    /// GET on one of its ports at 127.0.0.1 of its pod.
    pub fn get(&self, port: u16, path: &str) -> Result<(u16, String)> {
        let at: SocketAddr = (IpAddr::V4(Ipv4Addr::LOCALHOST), port).into();
        http::get(self.pod.netns(), at, path)
    }
}
