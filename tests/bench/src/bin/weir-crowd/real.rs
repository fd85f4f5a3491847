//! What the mesh costs an agent: the discovery of `weir-agent`, alone in a process.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::watch;
use weir_discovery::channel::{ChannelConfig, ControlChannel};
use weir_discovery::xds::{self, LocalPods, NodeInfo, Role};
use weir_discovery::{Store, Update};

use crate::mesh::{ROOT, node_name};
use crate::process;

/// Learn the whole mesh as an agent does, print what it took, and end
#[derive(Args, Debug)]
pub(crate) struct AgentArgs {
    /// The controller, as https://ADDRESS:PORT
    #[arg(long)]
    pub(crate) address: String,
    /// Its root
    #[arg(long)]
    pub(crate) roots: PathBuf,
    #[arg(long)]
    pub(crate) token: PathBuf,
}

/// What a real agent says when it knows the whole mesh.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) workloads: usize,
    pub(crate) seconds: f64,
    /// Memory before the connection, KiB.
    pub(crate) before_kib: f64,
    pub(crate) after_kib: f64,
}

/// Runs the discovery until the whole mesh is known.
pub(crate) async fn run(args: &AgentArgs) -> Result<()> {
    let node = NodeInfo {
        role: Role::NodeProxy,
        node: node_name(0),
        pod: "weir-agent-0".into(),
        namespace: ROOT.into(),
        service_account: Some("weir-agent".into()),
        addresses: Vec::new(),
        cluster: "Kubernetes".into(),
        network: String::new(),
        domain: "cluster.local".into(),
    };
    let local = LocalPods {
        node: node.node.clone(),
        cluster: node.cluster.clone(),
        netns: "/run/netns/{name}".parse().context("a pattern of network namespaces")?,
    };
    let channel = ControlChannel::new(ChannelConfig {
        address: args.address.clone(),
        root_cert_file: args.roots.clone(),
        token_file: args.token.clone(),
        ..ChannelConfig::default()
    })?;
    let (store, status) = (Store::default(), Arc::<xds::Status>::default());
    let (updates, _held) = watch::channel(Update::default());
    let before = process::memory("self")?;
    let begun = Instant::now();
    let follow = xds::run(
        xds::Config { node, local: Some(xds::Local::Pattern(local)) },
        channel,
        store.clone(),
        updates,
        status.clone(),
    );
    let follow = tokio::spawn(follow);
    let mut changes = store.changes();
    while !status.is_ready() {
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
        if let Some(problem) = &status.report().problem {
            bail!("{problem}");
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    tokio::time::sleep(SETTLE).await;
    let after = process::memory("self")?;
    let workloads = store.load().workloads().len();
    let report = Report { workloads, seconds, before_kib: before.now, after_kib: after.now };
    println!("{}", serde_json::to_string(&report)?);
    follow.abort();
    Ok(())
}

/// Runs this program as such an agent.
pub(crate) async fn measure(args: &AgentArgs) -> Result<Report> {
    let mut child = Command::new(std::env::current_exe().context("own executable unknown")?)
        .args(["agent", "--address", &args.address])
        .arg("--roots")
        .arg(&args.roots)
        .arg("--token")
        .arg(&args.token)
        // It ends when we do.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start an agent")?;
    let out = child.stdout.take().context("the agent has no output")?;
    let mut lines = BufReader::new(out).lines();
    let line =
        tokio::time::timeout(PATIENCE, lines.next_line()).await.context("the agent took too long")??;
    let line = line.context("the agent ended early")?;
    child.wait().await?;
    serde_json::from_str(&line).context("the agent said something else")
}

/// What was received is freed.
const SETTLE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(120);
