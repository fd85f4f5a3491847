//! What a receiver of events knows: the rules of `Event`, once more.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::mpsc;
use weir_harness::kube_api::KubeApi;
use weir_resources::{Event, Key, Kind, Object};
use weir_sources::Cluster;

use crate::support::{LONG, connect};

pub(crate) struct Mirror {
    pub(crate) cluster: Cluster,
    pub(crate) objects: BTreeMap<Key, Option<Object>>,
    pub(crate) synced: BTreeSet<Kind>,
    /// How many lists of a kind were begun.
    pub(crate) lists: BTreeMap<Kind, usize>,
    /// What is not in the list that is under way.
    stale: BTreeMap<Kind, BTreeSet<Key>>,
    events: mpsc::Receiver<Vec<Event>>,
}

impl Mirror {
    /// Follows a cluster from now on.
    pub(crate) async fn of(api: &KubeApi) -> Self {
        Self::following(connect(api).await)
    }

    pub(crate) fn following(cluster: Cluster) -> Self {
        let (sender, events) = mpsc::channel(4);
        tokio::spawn(cluster.clone().run(sender));
        Self {
            cluster,
            objects: BTreeMap::new(),
            synced: BTreeSet::new(),
            lists: BTreeMap::new(),
            stale: BTreeMap::new(),
            events,
        }
    }

    /// Takes events until it is so.
    pub(crate) async fn until(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        let wait = async {
            while !is(self) {
                let batch = self.events.recv().await.expect("the source ended");
                assert!(!batch.is_empty(), "an empty batch");
                batch.into_iter().for_each(|event| self.take(event));
            }
        };
        let done = tokio::time::timeout(LONG, wait).await.is_ok();
        assert!(
            done,
            "waited in vain for {what}: {:?} {:?}",
            self.objects.keys(),
            self.cluster.health().report()
        );
    }

    pub(crate) async fn until_synced(&mut self) {
        let listed = Kind::ALL.into_iter().filter(|kind| !kind.is_read_by_name()).count();
        self.until("all kinds", |mirror| mirror.synced.len() == listed).await;
    }

    /// Label `version` of a pod.
    pub(crate) fn version(&self, name: &str) -> Option<&str> {
        let object = self.objects.get(&Key::new(Kind::Pod, "shop", name))?;
        object.as_ref()?.meta().labels.get("version")
    }

    pub(crate) fn has(&self, kind: Kind, name: &str) -> bool {
        let namespace = if kind.is_namespaced() { "shop" } else { "" };
        self.objects.contains_key(&Key::new(kind, namespace, name))
    }

    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.objects.keys().filter(|key| key.kind == kind).count()
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Apply(object) => self.put(object.key(), Some(*object)),
            Event::Invalid(invalid) => self.put(invalid.key.clone().expect("a name"), None),
            Event::Delete(key) => drop(self.objects.remove(&key)),
            Event::Relist(kind) => {
                *self.lists.entry(kind).or_default() += 1;
                let there = self.objects.keys().filter(|key| key.kind == kind).cloned().collect();
                self.stale.insert(kind, there);
            }
            Event::Synced(kind) => {
                for key in self.stale.remove(&kind).expect("a list was begun") {
                    self.objects.remove(&key);
                }
                self.synced.insert(kind);
            }
        }
    }

    fn put(&mut self, key: Key, object: Option<Object>) {
        if let Some(stale) = self.stale.get_mut(&key.kind) {
            stale.remove(&key);
        }
        self.objects.insert(key, object);
    }
}
