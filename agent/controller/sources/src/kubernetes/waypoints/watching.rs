//! Watching what is there, and the ConfigMaps that are laid over it.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::DynamicObject;
use kube::core::ApiResource;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::mpsc::Sender;
use tokio::task::{AbortHandle, JoinSet};
use weir_render::{DEFAULTS_FOR_CLASS, MANAGED, MANAGED_BY, PartKind};

use super::live::{Live, Place};
use crate::kubernetes::Cluster;
use crate::kubernetes::connect::WATCH_SECONDS;

/// What a watch has seen.
#[derive(Debug)]
pub(super) enum Seen {
    /// All of a kind.
    Parts(PartKind, Vec<Live>),
    /// One that is there.
    Part(Live),
    /// One that is gone.
    NoPart(Place),
    /// All ConfigMaps with defaults, by namespace/name: their class and data.
    Defaults(BTreeMap<String, (String, Data)>),
    /// A ConfigMap with a gateway's own overlays.
    Map(MapName, Map),
}

/// Namespace and name of a ConfigMap.
pub(super) type MapName = (String, String);
pub(super) type Data = BTreeMap<String, String>;

/// How it stands with a ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Map {
    There(Data),
    Missing,
    /// It cannot be read, and why.
    Unreadable(String),
}

/// Follows the objects of a kind that are ours. Of autoscalers all: anybody's may count our pods.
pub(super) async fn parts(cluster: Cluster, kind: PartKind, to: Sender<Seen>) {
    let api: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &resource(kind));
    let config = watcher::Config::default().timeout(WATCH_SECONDS);
    let config = match kind {
        PartKind::HorizontalPodAutoscaler => config,
        _ => config.labels(&format!("{MANAGED}={MANAGED_BY}")),
    };
    let mut events = pin!(watcher(api, config).default_backoff());
    let mut list = Vec::new();
    let mut trouble = Trouble::default();
    while let Some(event) = events.next().await {
        let seen = match event {
            Ok(event) => {
                trouble.over();
                match event {
                    Event::Init => {
                        list.clear();
                        continue;
                    }
                    Event::InitApply(object) => {
                        list.push(Live::of(kind, &object));
                        continue;
                    }
                    Event::InitDone => Seen::Parts(kind, std::mem::take(&mut list)),
                    Event::Apply(object) => Seen::Part(Live::of(kind, &object)),
                    Event::Delete(object) => Seen::NoPart(Live::of(kind, &object).place),
                }
            }
            Err(error) => {
                trouble.say(kind.plural(), &error);
                continue;
            }
        };
        if to.send(seen).await.is_err() {
            return;
        }
    }
}

/// Follows the defaults of classes, in the root namespace.
pub(super) async fn defaults(cluster: Cluster, to: Sender<Seen>) {
    let api: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), &cluster.root_namespace);
    let config = watcher::Config::default().timeout(WATCH_SECONDS).labels(DEFAULTS_FOR_CLASS);
    let mut events = pin!(watcher(api, config).default_backoff());
    let named = |map: &ConfigMap| {
        format!("{}/{}", cluster.root_namespace, map.metadata.name.as_deref().unwrap_or_default())
    };
    let mut known = BTreeMap::new();
    let mut listing = false;
    let mut trouble = Trouble::default();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                trouble.over();
                match event {
                    Event::Init => {
                        known.clear();
                        listing = true;
                    }
                    Event::InitApply(map) | Event::Apply(map) => {
                        let name = named(&map);
                        let class = map.metadata.labels.unwrap_or_default().remove(DEFAULTS_FOR_CLASS);
                        known.insert(name, (class.unwrap_or_default(), map.data.unwrap_or_default()));
                    }
                    Event::Delete(map) => drop(known.remove(&named(&map))),
                    Event::InitDone => listing = false,
                }
            }
            Err(error) => {
                trouble.say("configmaps with defaults of classes", &error);
                continue;
            }
        }
        if !listing && to.send(Seen::Defaults(known.clone())).await.is_err() {
            return;
        }
    }
}

/// Watches of single ConfigMaps: of all that a cluster has, those that gateways name.
pub(super) struct Watchers {
    cluster: Cluster,
    to: Sender<Seen>,
    tasks: JoinSet<()>,
    running: BTreeMap<MapName, AbortHandle>,
}

impl Watchers {
    pub(super) fn new(cluster: &Cluster, to: Sender<Seen>) -> Self {
        Self { cluster: cluster.clone(), to, tasks: JoinSet::new(), running: BTreeMap::new() }
    }

    /// From now on those of these names, and no others.
    pub(super) fn follow(&mut self, wanted: BTreeSet<MapName>) {
        for (_, gone) in self.running.extract_if(.., |name, _| !wanted.contains(name)) {
            gone.abort();
        }
        while self.tasks.try_join_next().is_some() {}
        for name in wanted {
            let (cluster, to) = (self.cluster.clone(), self.to.clone());
            self.running.entry(name.clone()).or_insert_with(|| self.tasks.spawn(map(cluster, name, to)));
        }
    }
}

async fn map(cluster: Cluster, name: MapName, to: Sender<Seen>) {
    let api: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), &name.0);
    let only = watcher::Config::default().timeout(WATCH_SECONDS).fields(&format!("metadata.name={}", name.1));
    let mut events = pin!(watcher(api, only).default_backoff());
    let mut found = None;
    while let Some(event) = events.next().await {
        let is = match event {
            Ok(Event::Init) => {
                found = None;
                continue;
            }
            Ok(Event::InitApply(map)) => {
                found = Some(map.data.unwrap_or_default());
                continue;
            }
            Ok(Event::InitDone) => found.take().map_or(Map::Missing, Map::There),
            Ok(Event::Apply(map)) => Map::There(map.data.unwrap_or_default()),
            Ok(Event::Delete(_)) => Map::Missing,
            // A watch that was cut is begun anew by itself; one that may not be begun says so every time.
            Err(watcher::Error::InitialListFailed(error)) => Map::Unreadable(error.to_string()),
            Err(_) => continue,
        };
        if to.send(Seen::Map(name.clone(), is)).await.is_err() {
            return;
        }
    }
}

/// How the API names a kind.
pub(super) fn resource(kind: PartKind) -> ApiResource {
    ApiResource {
        group: kind.group().to_owned(),
        version: kind.version().to_owned(),
        api_version: kind.api_version(),
        kind: kind.name().to_owned(),
        plural: kind.plural().to_owned(),
    }
}

/// An error that comes again and again is said once.
#[derive(Default)]
struct Trouble(bool);

impl Trouble {
    fn say(&mut self, what: &str, error: &watcher::Error) {
        // A watch that is too old begins anew, every few minutes.
        let passing = matches!(error, watcher::Error::WatchError(_) | watcher::Error::WatchFailed(_));
        if !passing && !std::mem::replace(&mut self.0, true) {
            tracing::warn!("waypoints are not deployed before {what} can be read: {error}");
        }
    }

    fn over(&mut self) {
        self.0 = false;
    }
}
