//! Compares what the kernel has with what it should have, again and again, repairs it and says what it
//! could not repair: a pod is never outside the mesh in silence.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::run::Parts;

/// Checks every pod at once and then every half minute, until `stop` has no sender any more and the last look is over.
pub(crate) async fn forever(parts: Arc<Parts>, mut stop: watch::Receiver<()>) {
    let mut tick = tokio::time::interval(PERIOD);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.changed() => return,
        }
        let datapath = parts.datapath.clone();
        match tokio::task::spawn_blocking(move || datapath.reconcile()).await {
            Ok(report) => {
                for repaired in &report.repaired {
                    tracing::warn!("repaired: {repaired}");
                }
                for (pod, why) in &report.unprotected {
                    tracing::error!(%pod, "unprotected: {why}");
                }
                // Said when it is news: a visitor's process may stay for long.
                let known = parts.report.load();
                for (pod, note) in report.notes.iter().filter(|note| !known.notes.contains(note)) {
                    tracing::warn!(%pod, "{note}");
                }
                parts.report.store(Arc::new(report));
            }
            Err(panic) => tracing::error!("the reconcile loop panicked: {panic}"),
        }
    }
}

/// capture.md 4.5: the netlink subscription repairs at once what it sees; this finds the rest.
const PERIOD: Duration = Duration::from_secs(30);
