//! What runs waypoints' Gateways is made, repaired and taken away, while this replica leads.
//!
//! ```text
//!   wishes (the index) -----------\
//!   ConfigMaps with overlays ------> plan (weir-render) --> what is missing or different is applied --> reports
//!   what is there (five watches) -/                     \-> what is no longer wanted is deleted
//! ```
//!
//! Everything is looked at again after every change, so that it does not matter who died in between. What is there and is
//! not ours by its labels is never written. All of a gateway's objects name it as their owner: they go with it.

mod class;
mod live;
mod plan;
mod state;
mod watching;
mod wish;
mod write;

use std::future::ready;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use weir_render::{PartKind, Settings};
use weir_resources::{Key, Kind};

pub use wish::{WaypointName, WaypointOutcome, WaypointReport, WaypointWish, Wishes};

use super::Cluster;
use super::backoff::{Backoff, spread};
use plan::Plan;
use state::State;
use watching::Watchers;
use write::{Failed, Writer};

/// Runs waypoints.
pub struct Waypoints {
    cluster: Cluster,
    settings: Settings,
    leading: watch::Receiver<bool>,
    wishes: watch::Receiver<Option<Wishes>>,
    reports: mpsc::Sender<WaypointReport>,
}

impl Waypoints {
    /// Those of `wishes` (`None`: they are not known yet), while `leading` is true. What becomes of each is told to `reports`.
    #[must_use]
    pub fn new(
        cluster: &Cluster,
        settings: Settings,
        leading: watch::Receiver<bool>,
        wishes: watch::Receiver<Option<Wishes>>,
        reports: mpsc::Sender<WaypointReport>,
    ) -> Self {
        Self { cluster: cluster.clone(), settings, leading, wishes, reports }
    }

    /// Does so until one of the channels' other ends is gone.
    pub async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            if self.leading.wait_for(|leads| *leads).await.is_err() {
                return;
            }
            match self.lead().await {
                Over::Lost => backoff.reset(),
                Over::Again => sleep(backoff.next(spread())).await,
                Over::Closed => return,
            }
        }
    }

    async fn lead(&mut self) -> Over {
        let (sender, mut seen) = mpsc::channel(64);
        let mut tasks = JoinSet::new();
        for kind in PartKind::ALL {
            tasks.spawn(watching::parts(self.cluster.clone(), kind, sender.clone()));
        }
        tasks.spawn(watching::defaults(self.cluster.clone(), sender.clone()));
        tasks.spawn(class::keep(self.cluster.clone(), self.reports.clone()));
        let mut maps = Watchers::new(&self.cluster, sender);
        let mut state = State::default();
        state.wish(self.wishes.borrow_and_update().clone());
        maps.follow(state.maps_wanted());
        let mut leading = self.leading.clone();
        loop {
            let now = Instant::now();
            let due = state.next_due();
            tokio::select! {
                biased;
                lost = async { leading.wait_for(|leads| !*leads).await.is_ok() } => {
                    return if lost { Over::Lost } else { Over::Closed };
                }
                // None of them ends by itself.
                _ = tasks.join_next() => return Over::Again,
                changed = self.wishes.changed() => {
                    if changed.is_err() {
                        return Over::Closed;
                    }
                    state.wish(self.wishes.borrow_and_update().clone());
                    maps.follow(state.maps_wanted());
                }
                Some(one) = seen.recv() => state.see(one),
                () = sleep_until(due.unwrap_or(now)), if due.is_some_and(|due| due > now) => {}
                // Last: what is known is complete before one object is written.
                () = ready(()), if due.is_some_and(|due| due <= now) => {
                    let Some(name) = state.take_due(now) else { continue };
                    if self.look_at(&mut state, &name).await.is_err() {
                        return Over::Closed;
                    }
                }
            }
        }
    }

    /// Brings one gateway to what it should be.
    async fn look_at(&self, state: &mut State, name: &WaypointName) -> Result<(), Gone> {
        let plan = state.plan(name, &self.settings);
        let (outcome, again) = match plan {
            Plan::Wait => return Ok(()),
            Plan::Refuse(outcome) => (Some(outcome), false),
            Plan::Do(plan) => {
                let writer = Writer { cluster: &self.cluster };
                match writer.carry_out(plan, state).await {
                    Ok(0) => (Some(WaypointOutcome::Deployed), false),
                    Ok(written) => {
                        tracing::info!(gateway = %format!("{}/{}", name.0, name.1), written, "waypoint deployed");
                        state.wrote(name, Instant::now());
                        (Some(WaypointOutcome::Deployed), false)
                    }
                    Err(Failed { outcome }) => (outcome, true),
                }
            }
        };
        if again {
            state.try_again(name, Instant::now());
        }
        let Some((outcome, generation)) = outcome.and_then(|outcome| state.news(name, outcome)) else {
            return Ok(());
        };
        let key = Key { kind: Kind::Gateway, namespace: name.0.clone(), name: name.1.clone() };
        if outcome != WaypointOutcome::Deployed {
            tracing::warn!(gateway = %key, "waypoint not deployed: {outcome}");
        }
        self.reports.send(WaypointReport::Gateway { key, generation, outcome }).await.map_err(|_| Gone)
    }
}

/// Nobody hears our reports.
struct Gone;

enum Over {
    /// Another one leads.
    Lost,
    /// Something ended that should not have.
    Again,
    /// Nobody tells us anything any more.
    Closed,
}

/// Who writes, in `metadata.managedFields`: not as whom statuses are written.
const MANAGER: &str = "weir.dev/gateway-controller";
