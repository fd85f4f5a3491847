//! Policies of our own that keep out what came past a waypoint: kept as long as a workload names them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use weir_proto::workload::Workload;
use weir_resources::{Labels, Meta};

use super::{Index, Owner};
use crate::output::Output;
use crate::policy::{Reattached, Target, TargetKind};
use crate::store::Asker;
use crate::waypoint::{GatewayName, Guard};
use crate::world::World;

/// Which guards there are, and whose they are.
#[derive(Default)]
pub(super) struct Guards {
    /// By uid.
    of: HashMap<Arc<str>, Vec<Guard>>,
    /// How many workloads name it.
    kept: BTreeMap<Guard, usize>,
    /// Those that may be others than what is published.
    changed: BTreeSet<Guard>,
}

impl Guards {
    /// What guards a workload now.
    fn set(&mut self, uid: &str, guards: Vec<Guard>) {
        let before = match guards.is_empty() {
            true => self.of.remove(uid),
            false => self.of.insert(uid.into(), guards.clone()),
        };
        let before = before.unwrap_or_default();
        if before == guards {
            return;
        }
        for guard in guards {
            *self.kept.entry(guard.clone()).or_default() += 1;
            self.changed.insert(guard);
        }
        for guard in before {
            if let Some(count) = self.kept.get_mut(&guard) {
                *count -= 1;
                if *count == 0 {
                    self.kept.remove(&guard);
                }
            }
            self.changed.insert(guard);
        }
    }

    /// Lets a workload name what guards it.
    pub(super) fn guard(&mut self, world: &World, meta: &Meta, workload: &mut Workload) {
        let guards = world.guards(meta, workload);
        if !guards.is_empty() {
            workload.authorization_policies.extend(guards.iter().map(Guard::key));
            workload.authorization_policies.sort_unstable();
        }
        self.set(&workload.uid, guards);
    }

    /// A workload is gone.
    pub(super) fn forget(&mut self, uid: &str) {
        self.set(uid, Vec::new());
    }

    /// Others may stand for a gateway.
    fn touch(&mut self, gateway: &GatewayName) {
        let kept = self.kept.keys().filter(|guard| guard.gateways.contains(gateway));
        self.changed.extend(kept.cloned());
    }

    /// Publishes what changed.
    pub(super) fn publish(&mut self, world: &World, output: &mut Output) {
        for guard in std::mem::take(&mut self.changed) {
            let policy = self.kept.contains_key(&guard).then(|| guard.policy(world));
            output.authorization(guard.key().into(), policy);
        }
    }
}

impl Index {
    /// The account of a gateway's pods may be another.
    pub(super) fn touch_account(&mut self, namespace: &Arc<str>, name: &str) {
        self.guards.touch(&(namespace.clone(), name.into()));
    }

    /// Whether waypoints of these must be passed may be another matter: policies came or went.
    pub(super) fn touch_guarded(&mut self, reattached: &Reattached) {
        for Target { kind, namespace, name } in &reattached.targets {
            match kind {
                TargetKind::Service => self.touch_pods_of(&Owner::Service(namespace.clone(), name.clone())),
                TargetKind::ServiceEntry => {
                    self.touch_pods_of(&Owner::ServiceEntry(namespace.clone(), name.clone()));
                }
                TargetKind::Gateway => self.touch_behind(namespace, name),
                TargetKind::GatewayClass => self.touch_all_workloads(),
            }
        }
        for namespace in &reattached.namespaces {
            self.touch_matching(namespace, &Labels::default());
            let gateways: Vec<_> = self.world.gateways.of(namespace).map(|(name, _)| name.clone()).collect();
            gateways.iter().for_each(|name| self.touch_behind(namespace, name));
        }
        if reattached.everything {
            self.touch_all_workloads();
        }
    }

    /// The workloads whose traffic goes through a gateway, to their own addresses or to those of their services.
    pub(super) fn touch_behind(&mut self, namespace: &Arc<str>, name: &Arc<str>) {
        let askers: Vec<_> = self.world.askers.of(namespace, name).cloned().collect();
        for asker in askers {
            match asker {
                Asker::Object(owner, _) => self.touch_pods_of(&owner),
                Asker::Namespace(namespace) => self.touch_matching(&namespace, &Labels::default()),
            }
        }
    }

    /// The workloads of a service; a workload itself.
    fn touch_pods_of(&mut self, owner: &Owner) {
        let (namespace, selector) = match owner {
            Owner::Service(namespace, name) => {
                self.touch_slices(namespace, name);
                (namespace, self.world.services.get(namespace, name).map(|service| &service.selector))
            }
            Owner::ServiceEntry(namespace, name) => {
                let entry = self.world.service_entries.get(namespace, name);
                (namespace, entry.map(|entry| &entry.selector))
            }
            Owner::Pod(_) | Owner::Entry(_) | Owner::Slice(..) => {
                self.dirty.insert(owner.clone());
                return;
            }
        };
        let selector = selector.cloned().unwrap_or_default();
        self.touch_selected(namespace, &selector);
    }
}
