//! The index: what it is given, and when what is computed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_resources::{Event, Key, Kind};

use crate::gateway::Gateways;
use crate::l7::L7;
use crate::output::Output;
use crate::world::World;
use crate::{Changes, Config, Snapshot, StatusUpdate};

mod apply;
mod compute;
mod deploy;
mod gateways;
mod guards;
mod l7;
mod labels;
mod namespaces;
mod node_pods;
mod owner;
mod policies;
mod secrets;
mod services;
mod slices;
mod status;
mod sync;
mod targets;
mod vips;
mod workloads;

pub(crate) use owner::Owner;
pub(crate) use slices::service_of;
pub(crate) use vips::wants as wants_addresses;

/// Turns objects into the resources of the mesh. Events mark what they touch; a commit computes it, once.
pub struct Index {
    world: World,
    sync: sync::Sync,
    /// Whose resources may be others than those in `output`.
    dirty: BTreeSet<Owner>,
    output: Output,
    /// uids of the workloads of service entries and endpoint slices, which have any number of them.
    made: BTreeMap<Owner, Vec<Arc<str>>>,
    /// What objects are to be told and have not been.
    statuses: BTreeMap<Key, StatusUpdate>,
    /// Those of them that are news.
    news: BTreeSet<Key>,
    policies: BTreeSet<Key>,
    guards: guards::Guards,
    l7: L7,
    gateways: Gateways,
    published: Snapshot,
}

impl Index {
    /// An index that has read nothing.
    pub fn new(config: Config) -> Self {
        let output = Output::new(&config.cluster_id);
        Self {
            published: output.snapshot().clone(),
            world: World::new(config),
            sync: sync::Sync::default(),
            dirty: BTreeSet::new(),
            output,
            made: BTreeMap::new(),
            statuses: BTreeMap::new(),
            news: BTreeSet::new(),
            policies: BTreeSet::new(),
            guards: guards::Guards::default(),
            l7: L7::default(),
            gateways: Gateways::default(),
        }
    }

    /// Takes an event in.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Apply(object) => {
                self.sync.seen(&object.key());
                self.set(*object);
            }
            Event::Invalid(invalid) => {
                if let Some(key) = &invalid.key {
                    self.sync.seen(key);
                }
                self.set_invalid(*invalid);
            }
            Event::Delete(key) => self.unset(&key),
            Event::Relist(kind) => self.sync.begin(kind, self.keys(kind)),
            Event::Synced(kind) => {
                for key in self.sync.end(kind) {
                    self.unset(&key);
                }
                if kind == Kind::Secret {
                    self.complete_secrets();
                }
            }
        }
    }

    /// Whether every kind was complete once.
    pub fn is_synced(&self) -> bool {
        self.sync.is_complete()
    }

    /// Computes what the events since the last commit touched.
    pub fn commit(&mut self) -> Changes {
        let reattached = self.world.policies.take_reattached();
        self.touch_guarded(&reattached);
        let dirty = std::mem::take(&mut self.dirty);
        for owner in &dirty {
            self.touch_target_of(owner);
            self.compute(owner);
        }
        self.judge_targets();
        for (name, policy) in self.world.policies.take_changed() {
            self.output.authorization(name, policy);
        }
        self.guards.publish(&self.world, &mut self.output);
        let (addresses, authorizations) = self.output.take_changes();
        self.touch_gateways_of(&dirty, &addresses);
        self.tell_l7(&dirty, &addresses);
        self.touch_attached(reattached);
        self.compute_l7();
        self.tell_all_labels();
        self.tell_gateways();
        let layer7 = self.output.take_layer7();
        let node_pods = self.output.take_node_pods();
        self.published = self.output.snapshot().clone();
        Changes { addresses, authorizations, layer7, node_pods, statuses: self.take_statuses() }
    }

    /// The resources as of the last commit.
    pub fn snapshot(&self) -> Snapshot {
        self.published.clone()
    }

    /// All objects whose status is not what it should be, for who was just elected to write them.
    pub fn statuses(&self) -> Vec<StatusUpdate> {
        let policies = self.keys_of_policies();
        let policies = policies.filter_map(|key| self.world.policies.status_of(key));
        self.statuses.values().cloned().chain(policies).collect()
    }

    fn compute(&mut self, owner: &Owner) {
        match owner {
            Owner::Pod(id) => self.compute_pod(*id),
            Owner::Entry(id) => self.compute_entry(*id),
            Owner::Slice(namespace, name) => self.compute_slice(owner, namespace, name),
            Owner::Service(namespace, name) => self.compute_service(owner, namespace, name),
            Owner::ServiceEntry(namespace, name) => self.compute_service_entry(owner, namespace, name),
        }
    }
}
