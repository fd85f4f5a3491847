//! Brings the controller up, joins its parts, and takes it down again.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use anyhow::Context;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use weir_index::Index;
use weir_process::{Endpoint, LogLevel, Port, Signals};
use weir_serve::{Limits, Store};

use crate::backing::{Backing, Tasks};
use crate::config::Config;
use crate::mesh::{self, Outputs};
use crate::metrics::Metrics;
use crate::{monitoring, services, webhook};

/// Runs the controller until it is told to stop.
///
/// # Errors
/// A part cannot start, or ended.
pub fn run(config: Config, log_level: LogLevel) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config, log_level))
}

async fn serve(config: Config, log_level: LogLevel) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), trust_domain = %config.index.trust_domain, "starting");
    // Ports first: one that is taken is an error now, before anything was written anywhere. Who comes before there is something to say is
    // refused, and finds another replica.
    let cannot = || format!("cannot listen on {} (--listen)", config.listen);
    let port = Port::take(config.listen).with_context(cannot)?;
    let endpoint = Endpoint::bind("monitoring", config.monitoring).await?;

    let mut registry = Registry::default();
    let mut tasks = Tasks::new();
    // Whoever waits for the API server is alive, and says so.
    let state = Arc::new(OnceLock::new());
    let pages = endpoint.serve(state.clone(), monitoring::answer);
    tasks.spawn(async move {
        pages.await;
        anyhow::anyhow!("the monitoring endpoint ended")
    });
    let store = Store::new();
    let backing = tokio::select! {
        opened = Backing::open(&config, &store, &mut registry, &mut tasks) => opened?,
        signal = signals.next() => {
            tracing::info!(signal, "stopped before it began");
            return Ok(());
        }
    };
    let services = services::routes(&config, &backing, &store, &mut registry, &mut tasks);
    let tls = services::tls(&config, &backing.authority, &mut tasks)?;
    webhook::start(&config, &backing.authority, &mut registry, &mut tasks).await?;
    let metrics = Arc::new(Metrics::new(registry, backing.sources.clone()));
    follow_leadership(backing.leads.clone(), metrics.clone(), &mut tasks);

    let _ = state.set(monitoring::State {
        store: store.clone(),
        board: backing.board,
        sources: backing.sources,
        metrics: metrics.clone(),
        log_level,
    });
    let outputs = Outputs {
        store: store.clone(),
        statuses: backing.statuses,
        waypoints: backing.waypoints,
        secrets: backing.secrets,
        metrics,
    };
    let index = Index::new(config.index.clone());
    let follow = mesh::follow(index, backing.events, config.debounce, outputs);
    tasks.spawn(async move {
        follow.await;
        anyhow::anyhow!("the sources ended")
    });

    let listener = port.listen().with_context(cannot)?;
    let (stop, mut stopped) = watch::channel(false);
    let shutdown = async move { drop(stopped.wait_for(|stop| *stop).await) };
    let mut server = tokio::spawn(weir_serve::serve(listener, tls, Limits::default(), services, shutdown));
    tokio::select! {
        signal = signals.next() => tracing::info!(signal, "stopping; a second signal stops at once"),
        ended = tasks.join_next() => return Err(ended_early(ended)),
        ended = &mut server => return Err(anyhow::anyhow!("the control plane's port ended: {ended:?}")),
    }
    // Agents come back to another replica, or to the next start, with what they hold.
    store.close();
    stop.send_replace(true);
    let leave = async {
        if let Some(seat) = backing.seat {
            seat.leave().await;
        }
    };
    tokio::select! {
        (ended, ()) = async { tokio::join!(&mut server, leave) } => ended??,
        signal = signals.next() => tracing::warn!(signal, "stopping at once"),
    }
    tracing::info!(at = ?SystemTime::now(), "stopped");
    Ok(())
}

fn follow_leadership(mut leads: watch::Receiver<bool>, metrics: Arc<Metrics>, tasks: &mut Tasks) {
    tasks.spawn(async move {
        loop {
            metrics.leader(*leads.borrow_and_update());
            if leads.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    });
}

fn ended_early(ended: Option<Result<anyhow::Error, tokio::task::JoinError>>) -> anyhow::Error {
    match ended {
        Some(Ok(error)) => error,
        Some(Err(panic)) => panic.into(),
        None => anyhow::anyhow!("nothing is left to do"),
    }
}
