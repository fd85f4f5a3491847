//! The one task that owns the index: events in, pictures and statuses out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};
use weir_index::{Changes, Deployed, Index, StatusUpdate, Waypoint};
use weir_resources::{Condition, Event, GatewayStatus, Key};
use weir_serve::Store;
use weir_sources::{
    SecretName, StatusPatch, StatusWriter, WaypointName, WaypointOutcome, WaypointReport, WaypointWish,
    Wishes,
};

use crate::config::Debounce;
use crate::metrics::Metrics;

/// Where the index's answers go.
pub(crate) struct Outputs {
    pub(crate) store: Store,
    pub(crate) statuses: Statuses,
    pub(crate) waypoints: Option<Runner>,
    /// Who reads the Secrets that something names; `None`: all are read.
    pub(crate) secrets: Option<watch::Sender<BTreeSet<SecretName>>>,
    pub(crate) metrics: Arc<Metrics>,
}

/// Who runs waypoints: what he is to run, and what he says of it.
pub(crate) struct Runner {
    pub(crate) wishes: watch::Sender<Option<Wishes>>,
    pub(crate) reports: mpsc::Receiver<WaypointReport>,
}

/// What objects are to be told.
pub(crate) enum Statuses {
    /// The objects are files of somebody's: what they would be told is shown and logged.
    Shown(Arc<Board>),
    /// The objects are in a cluster: the elected replica writes. True: this one is.
    Written { writer: StatusWriter, elected: watch::Receiver<bool> },
}

/// The last status of every object that has one.
#[derive(Default)]
pub(crate) struct Board(Mutex<BTreeMap<Key, StatusUpdate>>);

/// Follows the sources until they end. The first picture is published when every kind has been listed: half a mesh would
/// look like a mesh from which the other half was removed.
pub(crate) async fn follow(
    mut index: Index,
    mut events: mpsc::Receiver<Vec<Event>>,
    debounce: Debounce,
    mut outputs: Outputs,
) {
    let mut clock = tokio::time::interval(LOOK_AT_THE_TIME);
    loop {
        let batch = tokio::select! {
            batch = events.recv() => batch,
            // Certificates grow old by themselves.
            _ = clock.tick() => match index.at(SystemTime::now()) {
                true => Some(Vec::new()),
                false => continue,
            },
            () = outputs.statuses.elected() => {
                outputs.statuses.tell(index.statuses());
                continue;
            }
            report = reported(&mut outputs.waypoints) => {
                take_report(&mut index, report);
                if index.is_synced() {
                    let since = Instant::now();
                    let changes = index.commit();
                    outputs.publish(&mut index, changes, since.elapsed());
                }
                continue;
            }
        };
        let Some(batch) = batch else { return };
        let since = Instant::now();
        outputs.take(&mut index, batch);
        collect(&mut index, &mut events, debounce, &outputs).await;
        if index.is_synced() {
            let changes = index.commit();
            let took = since.elapsed();
            outputs.publish(&mut index, changes, took);
        }
    }
}

/// The next word of who runs waypoints.
async fn reported(runner: &mut Option<Runner>) -> WaypointReport {
    match runner {
        Some(runner) => match runner.reports.recv().await {
            Some(report) => report,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

fn take_report(index: &mut Index, report: WaypointReport) {
    match report {
        WaypointReport::Gateway { key, outcome, .. } => index.deployed(
            &key,
            match outcome {
                WaypointOutcome::Deployed => Deployed::Done,
                WaypointOutcome::Invalid(why) => Deployed::Invalid(why),
                WaypointOutcome::Foreign(why) => Deployed::Foreign(why),
                WaypointOutcome::Failed(why) => Deployed::Failed(why),
            },
        ),
        WaypointReport::Api(version) => index.gateway_api(version),
    }
}

/// Takes what else comes, until it is quiet.
async fn collect(
    index: &mut Index,
    events: &mut mpsc::Receiver<Vec<Event>>,
    debounce: Debounce,
    outputs: &Outputs,
) {
    let latest = Instant::now() + debounce.max;
    loop {
        let until = (Instant::now() + debounce.quiet).min(latest);
        match timeout_at(until, events.recv()).await {
            Ok(Some(batch)) if Instant::now() < latest => outputs.take(index, batch),
            Ok(Some(batch)) => return outputs.take(index, batch),
            Ok(None) | Err(_) => return,
        }
    }
}

impl Outputs {
    fn take(&self, index: &mut Index, batch: Vec<Event>) {
        self.metrics.events(batch.len());
        for event in batch {
            if let (Event::Delete(key), Statuses::Shown(board)) = (&event, &self.statuses) {
                board.lock().remove(key);
            }
            index.apply(event);
        }
    }

    fn publish(&mut self, index: &mut Index, changes: Changes, took: Duration) {
        self.store.publish(index.snapshot(), &changes);
        if let Some(secrets) = &self.secrets {
            let wanted = index.wanted_secrets();
            secrets.send_if_modified(|known| std::mem::replace(known, wanted.clone()) != wanted);
        }
        if let Some(runner) = &self.waypoints
            && let Some(waypoints) = index.take_waypoints()
        {
            runner.run(waypoints);
        }
        self.metrics.published(&changes, took);
        if !changes.statuses.is_empty() {
            self.statuses.tell(changes.statuses);
        }
    }
}

impl Runner {
    fn run(&self, waypoints: BTreeMap<WaypointName, Waypoint>) {
        let before = self.wishes.borrow().clone().unwrap_or_default();
        let wish = |(name, waypoint): (WaypointName, Waypoint)| {
            let Waypoint { gateway, class, network } = waypoint;
            let wish = WaypointWish { gateway, class, network };
            // What is the same stays the same: nobody looks at it again.
            let same = before.get(&name).filter(|before| ***before == wish).cloned();
            (name, same.unwrap_or_else(|| Arc::new(wish)))
        };
        let wishes: BTreeMap<_, _> = waypoints.into_iter().map(wish).collect();
        self.wishes.send_if_modified(|now| {
            let changed = now.as_deref() != Some(&wishes);
            *now = Some(Arc::new(wishes));
            changed
        });
    }
}

impl Statuses {
    /// Waits until this replica has been elected to write.
    async fn elected(&mut self) {
        match self {
            Self::Shown(_) => std::future::pending().await,
            Self::Written { writer, elected } => loop {
                if elected.changed().await.is_err() {
                    return std::future::pending().await;
                }
                if *elected.borrow_and_update() {
                    return;
                }
                writer.clear();
            },
        }
    }

    fn tell(&self, updates: Vec<StatusUpdate>) {
        match self {
            Self::Shown(board) => board.show(updates),
            Self::Written { writer, elected } if *elected.borrow() => {
                for update in updates {
                    writer.apply(patch(update));
                }
            }
            Self::Written { .. } => {}
        }
    }
}

/// As in its status.
fn show_gateway(gateway: &GatewayStatus, shown: &mut serde_json::Value) {
    if let Some(addresses) = &gateway.addresses {
        shown["addresses"] = serde_json::json!(addresses);
    }
    if let Some(features) = &gateway.features {
        shown["supportedFeatures"] =
            features.iter().map(|name| serde_json::json!({"name": **name})).collect();
    }
    if let Some(listeners) = &gateway.listeners {
        let listener = |(fields, conditions): &(serde_json::Value, Vec<Condition>)| {
            let mut listener = fields.clone();
            listener["conditions"] = serde_json::json!(conditions);
            listener
        };
        shown["listeners"] = listeners.iter().map(listener).collect();
    }
}

/// Also those for single parents.
fn all(update: &StatusUpdate) -> impl Iterator<Item = &Condition> {
    let of_parents = update.parents.iter().flatten().flat_map(|(_, conditions)| conditions);
    update.conditions.iter().chain(of_parents)
}

fn patch(update: StatusUpdate) -> StatusPatch {
    let StatusUpdate { key, generation, conditions, remove, addresses, parents, gateway } = update;
    StatusPatch { key, generation, conditions, remove, addresses, parents, gateway }
}

impl Board {
    /// What objects have been told, by key.
    pub(crate) fn json(&self) -> serde_json::Value {
        let board = self.lock();
        let told = board.iter().map(|(key, update)| {
            let mut shown = serde_json::json!({
                "object": key.to_string(),
                "observedGeneration": update.generation,
                "conditions": update.conditions,
            });
            if let Some(parents) = &update.parents {
                let parents = parents.iter().map(
                    |(parent, conditions)| serde_json::json!({"parentRef": parent, "conditions": conditions}),
                );
                shown["parents"] = parents.collect();
            }
            if let Some(gateway) = &update.gateway {
                show_gateway(gateway, &mut shown);
            }
            shown
        });
        told.collect()
    }

    fn show(&self, updates: Vec<StatusUpdate>) {
        let mut board = self.lock();
        for update in updates {
            let known = board.get(&update.key);
            for condition in all(&update).filter(|c| c.status == "False") {
                let same = |other: &Condition| {
                    (&other.kind, &other.message) == (&condition.kind, &condition.message)
                };
                if !known.is_some_and(|known| all(known).any(same)) {
                    let (kind, reason) = (&condition.kind, &condition.reason);
                    tracing::warn!(object = %update.key, %kind, %reason, "{}", condition.message);
                }
            }
            board.insert(update.key.clone(), update);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, StatusUpdate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How late it may be said that a certificate's time is over.
const LOOK_AT_THE_TIME: Duration = Duration::from_secs(30);
