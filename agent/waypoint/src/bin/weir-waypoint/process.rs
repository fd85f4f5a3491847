//! Brings the waypoint up, joins its parts with the control plane, and takes it down again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, watch};
use weir_discovery::{Store, Update, on_demand, xds};
use weir_identity::Certificates;
use weir_process::{LogLevel, MetricsPage, Signals, listen};
use weir_waypoint::configuration::TYPES;
use weir_waypoint::run::{Dns, Feed, HostNetwork, NamesMetrics, Parts, Serving, Waypoint, keep_certificate};
use weir_waypoint::{proxy, run::Place};

use crate::config::Config;
use crate::{access_log, admin};

/// What can be asked about a running waypoint.
pub(crate) struct Running {
    pub(crate) gateway: String,
    /// Its own workload's.
    pub(crate) uid: Arc<str>,
    pub(crate) store: Store,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) serving: Arc<Serving>,
    /// Of the mesh, and of what is served.
    pub(crate) mesh: Arc<xds::Status>,
    pub(crate) served: Arc<xds::Status>,
    pub(crate) draining: AtomicBool,
    pub(crate) metrics: MetricsPage,
    pub(crate) log_level: LogLevel,
    /// Told by `POST /quitquitquit`.
    pub(crate) quit: Notify,
}

/// Runs the waypoint until it is told to stop. Control work has this thread, traffic the workers'.
pub(crate) fn run(config: Config, log_level: LogLevel) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(config, log_level))
}

async fn serve(config: Config, log_level: LogLevel) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let (version, delay, drain) = (env!("CARGO_PKG_VERSION"), config.drain_delay, config.drain);
    tracing::info!(version, gateway = %config.gateway, workers = config.workers, "starting");
    let endpoints = admin::Endpoints::bind(&config.listen).await?;
    let at = config.listen.tunnels;
    let listener = listen(at).with_context(|| format!("cannot listen on {at}; --listen gives another"))?;
    let (running, waypoint) = bring_up(config, listener.into_std()?, log_level)?;
    endpoints.serve(&running);

    tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, ?delay, deadline = ?drain, "draining; a second signal stops at once");
        }
        () = running.quit.notified() => tracing::info!(?delay, deadline = ?drain, "draining, as /quitquitquit asked"),
    }
    running.draining.store(true, Ordering::Release);
    let leave = async {
        // Whoever has not heard yet that this endpoint goes must not find it gone.
        tokio::time::sleep(delay).await;
        tracing::info!("telling clients to go elsewhere");
        waypoint.drain(drain).await;
    };
    tokio::select! {
        () = leave => tracing::info!("drained"),
        signal = signals.next() => tracing::warn!(signal, "stopping at once; open connections are reset"),
    }
    Ok(())
}

fn bring_up(
    config: Config,
    listener: std::net::TcpListener,
    log_level: LogLevel,
) -> anyhow::Result<(Arc<Running>, Waypoint)> {
    let identity = weir_identity::Config {
        lifetime: config.lifetime,
        crl: config.crl.clone(),
        ..weir_identity::Config::default()
    };
    let certificates = Certificates::new(config.ca.authority()?, identity)?;
    let (store, serving) = (Store::default(), Arc::<Serving>::default());
    let node = &config.node;
    let uid: Arc<str> = format!("{}//Pod/{}/{}", node.cluster, node.namespace, node.pod).into();
    let mut registry = registry();
    store.metrics().register(&mut registry);
    let parts = Parts {
        uid: uid.clone(),
        store: store.clone(),
        certificates: certificates.clone(),
        serving: serving.clone(),
        network: Arc::new(HostNetwork { uid: uid.clone(), store: store.clone() }),
        config: proxy::Config::default(),
        log: config.access_log.map(access_log::start).transpose()?,
    };
    let waypoint = Waypoint::start(parts, &listener, config.workers, &mut registry);
    let waypoint = waypoint.context("cannot start the worker threads")?;
    let feed = Feed::new(&config.gateway, serving.clone());
    let dns =
        Dns::new(&config.dns_servers).context("cannot ask for names; --dns-servers says whom to ask")?;
    tokio::spawn(feed.names().keep(Arc::new(dns), NamesMetrics::register(&mut registry)));
    let running = Arc::new(Running {
        gateway: config.gateway.clone(),
        uid,
        store,
        certificates,
        serving,
        mesh: Arc::default(),
        served: Arc::default(),
        draining: AtomicBool::new(false),
        metrics: MetricsPage::new(registry),
        log_level,
        quit: Notify::new(),
    });
    let place = feed.place();
    follow(&running, config, feed, place);
    Ok((running, waypoint))
}

/// Everything that is learned, for ever.
fn follow(running: &Running, config: Config, feed: Feed, place: Place) {
    let (store, status) = (running.store.clone(), running.mesh.clone());
    let mesh = xds::Config { node: config.node.clone(), local: None };
    let channel = config.channel.clone();
    tokio::spawn(async move {
        let (updates, _) = watch::channel(Update::default());
        match xds::run(mesh, channel, store, updates, status).await {}
    });
    let (status, metrics) = (running.served.clone(), running.store.metrics().streams());
    tokio::spawn(async move {
        match on_demand::run(config.node, &TYPES, config.channel, feed, status, metrics).await {}
    });
    let (uid, store) = (running.uid.clone(), running.store.clone());
    tokio::spawn(keep_certificate(uid, store, running.certificates.clone(), place));
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    let build = prometheus_client::metrics::family::Family::<
        [(&'static str, &'static str); 2],
        prometheus_client::metrics::gauge::Gauge,
    >::default();
    build.get_or_create(&[("component", "proxy"), ("tag", env!("CARGO_PKG_VERSION"))]).set(1);
    registry.register("istio_build", "Component and version", build);
    registry
}

impl Running {
    /// What is not ready yet; empty means ready.
    pub(crate) fn pending(&self) -> Vec<String> {
        let mut pending = Vec::new();
        if !self.mesh.is_ready() {
            pending.push("discovery".to_owned());
        }
        if !self.serving.is_complete() {
            pending.extend(self.serving.pending().iter().cloned());
            // Nothing was ever said.
            if pending.is_empty() {
                pending.push(format!("waypoint {}", self.gateway));
            }
        }
        let own = self.store.load().workload(&self.uid).map(|own| own.identity());
        match own {
            None => pending.push(format!("own workload {}", self.uid)),
            Some(identity) if self.certificates.current(&identity).is_err() => {
                pending.push(format!("certificate of {identity}"));
            }
            Some(_) => {}
        }
        if self.draining.load(Ordering::Acquire) {
            pending.push("draining".to_owned());
        }
        pending
    }
}
