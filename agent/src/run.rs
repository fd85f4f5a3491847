//! Brings the agent up, joins its parts, and takes it down again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use anyhow::Context;
use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use weir_datapath::{Datapath, Leave, Report};
use weir_discovery::{Store, Update, node_reports, xds};
use weir_identity::Certificates;
use weir_process::{LogLevel, Signals};
use weir_tunnel::{Shared, Workers};

use crate::config::{self, Config, Source};
use crate::metrics::Metrics;
use crate::node::install::{self, Installed};
use crate::node::{Roster, cni, kubelet};
use crate::pods::{Pods, View};
use crate::{admin, control, node, reconcile};

/// The running parts, for those who report about them.
pub(crate) struct Parts {
    pub(crate) node: String,
    pub(crate) store: Store,
    pub(crate) datapath: Arc<Datapath>,
    pub(crate) certificates: Arc<Certificates>,
    /// The last look of the reconcile loop.
    pub(crate) report: ArcSwap<Report>,
    pub(crate) pods: Arc<View>,
    /// How it stands with the control plane, if the agent lives from one.
    pub(crate) discovery: Option<Arc<xds::Status>>,
    /// Where the kubelet is known by its process: whether there is one.
    pub(crate) kubelet: Option<Arc<AtomicBool>>,
    /// Of a node of Kubernetes: whether the CNI plugin is there.
    pub(crate) plugin: Option<Arc<Installed>>,
    /// Who knows what is open.
    pub(crate) workers: Weak<Workers>,
    draining: AtomicBool,
}

/// How many pods are captured, and which are not as they should be.
pub(crate) struct Protection {
    pub(crate) protected: usize,
    pub(crate) unprotected: Vec<(String, String)>,
    /// Things to know about captured pods, such as a process in one that is not.
    pub(crate) notes: Vec<(String, String)>,
}

/// Runs the agent until it is told to stop. Control work has this thread, traffic the workers'.
pub(crate) fn run(config: Config, log_level: LogLevel) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(config, log_level))
}

async fn serve(config: Config, log_level: LogLevel) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let quit = Arc::new(Notify::new());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), node = %config.node, workers = config.workers, "starting");

    let endpoints = tokio::select! {
        bound = admin::Endpoints::bind(&config.listen, config.standby) => bound?,
        // There is nothing to take down yet.
        signal = signals.next() => {
            tracing::info!(signal, "stopped before it began");
            return Ok(());
        }
    };
    let mut registry = prometheus_client::registry::Registry::default();
    let (parts, workers, follow) = bring_up(&config, &mut registry).await?;
    let metrics = Arc::new(Metrics::new(registry, &config.node));
    let state = admin::State { parts: parts.clone(), metrics, log_level, quit: quit.clone() };
    let serving = endpoints.serve(&Arc::new(state));
    let mut follow = tokio::spawn(follow);
    let (stop, stopped) = watch::channel(());
    let reconcile = tokio::spawn(reconcile::forever(parts.clone(), stopped));

    tokio::select! {
        signal = signals.next() => tracing::info!(signal, deadline = ?config.drain, "draining; a second signal stops at once"),
        () = quit.notified() => tracing::info!(deadline = ?config.drain, "draining, as /quitquitquit asked"),
        ended = &mut follow => return Err(ended.unwrap_or_else(Into::into)),
    }
    parts.draining.store(true, Ordering::Release);
    // Letting a pod go ends its channel of listeners, which looks like a deleted pod: who follows the list of pods would
    // take it in again.
    follow.abort();
    // It would repair what is being taken away, or is another agent's by then; and so would a look that is under way.
    drop(stop);
    let _ = reconcile.await;
    if !config.capture.leave_closed {
        stop_capture(&parts).await;
    }
    let aside = async {
        // Others come after this one has ended.
        if config.standby && config.capture.leave_closed {
            hand_over(&parts, serving).await;
        }
    };
    tokio::select! {
        // No new work is taken from the first look on.
        _ = async { tokio::join!(biased; workers.drain(config.drain), aside) } => tracing::info!("drained"),
        signal = signals.next() => tracing::warn!(signal, "stopping at once; open connections are reset"),
    }
    take_down(&config, &parts).await
}

/// Starts every part in the order in which they need one another.
async fn bring_up(
    config: &Config,
    registry: &mut prometheus_client::registry::Registry,
) -> anyhow::Result<(Arc<Parts>, Arc<Workers>, impl Future<Output = anyhow::Error> + Send + 'static)> {
    let certificates = certificates(&config.identity).await?;
    let capture = capture(config);
    let datapath = tokio::task::spawn_blocking(move || Datapath::start(capture)).await??;
    tracing::info!(mode = datapath.mode().as_str(), "capture is ready");

    let store = Store::default();
    store.metrics().register(registry);
    let readable = store.clone();
    let shared = Arc::new(Shared {
        config: weir_tunnel::Config::default(),
        changes: store.changes(),
        directory: Arc::new(move || readable.load()),
        certificates: certificates.clone(),
        metrics: weir_tunnel::Metrics::register(registry),
        access_log: Arc::new(weir_tunnel::TracingLog),
        limits: weir_tunnel::Limits::default(),
        pods: weir_tunnel::Pods::default(),
    });
    let workers =
        Arc::new(Workers::start(&shared, config.workers).context("cannot start the worker threads")?);

    let (updates, updated) = watch::channel(Update::default());
    let view = Arc::new(View::default());
    let pods =
        Pods::new(datapath.clone(), certificates.clone(), shared.clone(), workers.clone(), view.clone());
    let (pods, plugin, work) = match &config.kubernetes {
        Some(node) => {
            let roster = Roster::open(&config.capture.runtime_dir, &node.cluster)?;
            let (plugin, work) = kubernetes(config, node, &roster)?;
            (pods.told(roster), Some(plugin), Some(work))
        }
        None => (pods, None, None),
    };
    let kubelet = match &config.capture.kubelet {
        weir_datapath::Kubelet::Process(_) => Some(kubelet::keep_told(datapath.clone())?),
        _ => None,
    };
    let status = Arc::new(xds::Status::default());
    let discovery = matches!(config.source, Source::Control(_)).then(|| status.clone());
    let source = control::follow(config.source.clone(), config.node.clone(), store.clone(), updates, status);
    let follow = async move {
        tokio::select! {
            ended = source => ended,
            () = pods.follow(updated) => anyhow::anyhow!("the list of pods ended"),
            () = async { match work { Some(work) => work.await, None => std::future::pending().await } } => {
                anyhow::anyhow!("the CNI plugin's socket ended")
            }
        }
    };
    let parts = Parts {
        node: config.node.clone(),
        store,
        datapath,
        certificates,
        report: ArcSwap::default(),
        pods: view,
        discovery,
        kubelet,
        plugin,
        workers: Arc::downgrade(&workers),
        draining: AtomicBool::new(false),
    };
    Ok((Arc::new(parts), workers, follow))
}

/// What a node of Kubernetes needs beside: the socket of the CNI plugin, the plugin itself, and reports about the pods.
fn kubernetes(
    config: &Config,
    node: &config::Node,
    roster: &Roster,
) -> anyhow::Result<(Arc<Installed>, impl Future<Output = ()> + Send + use<>)> {
    let server = cni::Server::bind(&node.socket, node.wait, roster.places().clone(), roster.standing())?;
    let installed = Arc::new(Installed::default());
    if let Some(target) = &node.install {
        install::keep(target.clone(), installed.clone())?;
    }
    let channel = match &config.source {
        Source::Control(control) => Some(control.0.clone()),
        Source::File(_) => None,
    };
    let reports = roster.reports();
    let work = async move {
        let report = async {
            match channel {
                Some(channel) => match node_reports::report(channel, reports).await {},
                None => std::future::pending::<()>().await,
            }
        };
        tokio::join!(server.run(), report);
    };
    Ok((installed, work))
}

async fn certificates(config: &config::Identity) -> anyhow::Result<Arc<Certificates>> {
    let authority = control::authority(&config.signer).await?;
    let settings = weir_identity::Config {
        lifetime: config.lifetime,
        crl: config.crl.clone(),
        ..weir_identity::Config::default()
    };
    Ok(Certificates::new(authority, settings)?)
}

fn capture(config: &Config) -> weir_datapath::Config {
    let capture = &config.capture;
    weir_datapath::Config {
        bpffs: capture.bpffs.clone(),
        runtime_dir: capture.runtime_dir.clone(),
        pods_cgroup: capture.pods_cgroup.clone(),
        kubelet: capture.kubelet.clone(),
        workers: config.workers,
        exclude: capture.exclude.iter().map(|prefix| (prefix.0, prefix.1)).collect(),
        ebpf_log_level: capture.ebpf_log,
        self_test: true,
        holder: capture.holder.clone(),
    }
}

impl Parts {
    /// What is not ready yet, by name; empty means ready.
    pub(crate) fn pending(&self) -> Vec<&'static str> {
        let synced = self.pods.synced.load(Ordering::Acquire);
        let draining = self.draining.load(Ordering::Acquire);
        let learning = self.discovery.as_ref().is_some_and(|status| !status.is_ready());
        let pending = [(learning, "discovery"), (!synced, "pods"), (draining, "draining")];
        pending.into_iter().filter_map(|(is, name)| is.then_some(name)).collect()
    }

    /// What is captured now, but for what the last look at the pods found wrong; those that could not be enrolled are among these. A look
    /// is half a minute old at most, and a pod that came since then was looked at when it was enrolled.
    pub(crate) fn protection(&self) -> Protection {
        let report = self.report.load();
        let captured = self.pods.by_cookie.load();
        let is_right = |uid: &&Arc<str>| !report.unprotected.iter().any(|(wrong, _)| **wrong == ***uid);
        let refused = self.pods.refused.load();
        let refused = refused.iter().map(|(uid, why)| (uid.to_string(), why.clone()));
        Protection {
            protected: captured.values().filter(is_right).count(),
            unprotected: report.unprotected.iter().cloned().chain(refused).collect(),
            notes: report.notes.clone(),
        }
    }
}

/// From here on an agent that stands by serves the pods, and nothing of this one is in its way: new connections do not wait until the
/// last old one has ended. Whoever stands by looks for the ports.
async fn hand_over(parts: &Arc<Parts>, mut serving: JoinSet<()>) {
    if let Some(plugin) = &parts.plugin {
        plugin.hand_over();
    }
    let datapath = parts.datapath.clone();
    // As in `stop_capture`.
    let _ = tokio::task::spawn_blocking(move || datapath.hand_over()).await;
    serving.shutdown().await;
}

/// From here on new connections go directly, while those that are carried drain.
async fn stop_capture(parts: &Arc<Parts>) {
    let (datapath, pods) = (parts.datapath.clone(), parts.pods.by_cookie.load_full());
    let stopped = tokio::task::spawn_blocking(move || {
        for uid in pods.values() {
            if let Err(error) = datapath.stop_capture(uid) {
                tracing::warn!(pod = %uid, "still captured: {error}");
            }
        }
    });
    // A panic is logged by the runtime; the shutdown goes on and cleans what it can.
    let _ = stopped.await;
}

/// Lets the pods go, or leaves them captured and closed, as the configuration says.
async fn take_down(config: &Config, parts: &Arc<Parts>) -> anyhow::Result<()> {
    let leave = match config.capture.leave_closed {
        true => Leave::Closed,
        false => Leave::Open,
    };
    let node = config.kubernetes.as_ref().filter(|node| node.uninstall_on_stop);
    if let (Some(target), Some(installed)) = (node.and_then(|node| node.install.as_ref()), &parts.plugin) {
        for line in installed.remove(target)? {
            tracing::info!("the CNI plugin is uninstalled: {line}");
        }
    }
    let datapath = parts.datapath.clone();
    tokio::task::spawn_blocking(move || datapath.shutdown(leave))
        .await?
        .context("the kernel was not left as it was found")?;
    if node.is_some() {
        node::forget(&config.capture.runtime_dir);
    }
    tracing::info!(?leave, "stopped");
    Ok(())
}
