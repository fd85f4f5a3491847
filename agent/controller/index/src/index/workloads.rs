//! Pods and workload entries come, change and go.

use std::sync::Arc;

use weir_resources::{Phase, Pod, WorkloadEntry};

use super::{Index, Owner};
use crate::publish::{self, GATEWAY_NAME};
use crate::snapshot::PodIdentity;
use crate::store::{Asker, Item};
use crate::waypoint::gateways;
use crate::world::Entry;

impl Index {
    pub(super) fn set_pod(&mut self, new: Pod) {
        let (namespace, name) = (new.meta.namespace.clone(), new.meta.name.clone());
        let known = self.world.pods.id(&namespace, &name).and_then(|id| self.world.pods.at(id));
        if known == Some(&new) {
            return;
        }
        let after = Presence::of(&new);
        let asks = gateways(&new.meta, &namespace);
        let node = new.node.clone();
        let gateway = |pod: &Pod| pod.meta.labels.get(GATEWAY_NAME).map(str::to_owned);
        let stands_for = gateway(&new);
        let (id, old) = self.world.pods.insert(new);
        for gateway in old.as_ref().and_then(gateway).into_iter().chain(stands_for) {
            self.touch_account(&namespace, &gateway);
        }
        if old.as_ref().is_none_or(|old| old.node != node) {
            self.leave_node(id, old.as_ref());
            self.world.on_node.entry(node).or_default().insert(id);
        }
        let before = old.as_ref().and_then(Presence::of);
        self.change_presence(&namespace, &name, before, after);
        self.dirty.insert(Owner::Pod(id));
        let asked = old.map(|old| gateways(&old.meta, &namespace)).unwrap_or_default();
        self.world.askers.change(&Asker::Object(Owner::Pod(id), namespace), &asked, &asks);
    }

    pub(super) fn remove_pod(&mut self, namespace: &Arc<str>, name: &Arc<str>) {
        let Some((id, old)) = self.world.pods.remove(namespace, name) else { return };
        self.leave_node(id, Some(&old));
        self.change_presence(namespace, name, Presence::of(&old), None);
        let asker = Asker::Object(Owner::Pod(id), namespace.clone());
        self.world.askers.change(&asker, &gateways(&old.meta, namespace), &[]);
        if let Some(gateway) = old.meta.labels.get(GATEWAY_NAME) {
            self.touch_account(namespace, gateway);
        }
        let uid = publish::pod_uid(&self.world, &old);
        self.guards.forget(&uid);
        self.forget_labels(&uid);
        self.output.remove(&uid);
    }

    pub(super) fn set_entry(&mut self, new: WorkloadEntry) {
        let (namespace, name) = (new.meta.namespace.clone(), new.meta.name.clone());
        let known = self.world.entries.id(&namespace, &name).and_then(|id| self.world.entries.at(id));
        if known.is_some_and(|known| known.object == new) {
            return;
        }
        let asks = gateways(&new.meta, &namespace);
        let (id, old) = self.world.entries.insert(Entry::new(new));
        self.dirty.insert(Owner::Entry(id));
        let asked = old.map(|old| gateways(old.meta(), &namespace)).unwrap_or_default();
        self.world.askers.change(&Asker::Object(Owner::Entry(id), namespace), &asked, &asks);
    }

    pub(super) fn remove_entry(&mut self, namespace: &Arc<str>, name: &Arc<str>) {
        let Some((id, old)) = self.world.entries.remove(namespace, name) else { return };
        let asker = Asker::Object(Owner::Entry(id), namespace.clone());
        self.world.askers.change(&asker, &gateways(old.meta(), namespace), &[]);
        let uid = publish::entry_uid(&self.world, namespace, name);
        self.guards.forget(&uid);
        self.forget_labels(&uid);
        self.output.remove(&uid);
    }

    /// Sets the workloads of an owner that has several: those that it had and has no more are removed.
    pub(super) fn make(&mut self, owner: &Owner, uids: Vec<Arc<str>>) {
        let old = if uids.is_empty() {
            self.made.remove(owner)
        } else {
            self.made.insert(owner.clone(), uids.clone())
        };
        for uid in old.into_iter().flatten().filter(|uid| !uids.contains(uid)) {
            self.output.remove(&uid);
        }
    }

    fn leave_node(&mut self, id: u32, pod: Option<&Pod>) {
        let Some(pod) = pod else { return };
        self.forget_node_pod(pod);
        let Some(ids) = self.world.on_node.get_mut(&pod.node) else { return };
        ids.remove(&id);
        if ids.is_empty() {
            self.world.on_node.remove(&pod.node);
        }
    }

    fn change_presence(
        &mut self,
        namespace: &Arc<str>,
        name: &str,
        before: Option<Presence>,
        after: Option<Presence>,
    ) {
        if before == after {
            return;
        }
        let key = |of: &Presence| (of.0.node.clone(), namespace.clone(), of.0.service_account.clone());
        for (presence, more) in [(&before, false), (&after, true)] {
            if let Some(scheduled) = presence.as_ref().filter(|presence| !presence.0.node.is_empty()) {
                self.output.count(key(scheduled), more);
            }
        }
        let uid = crate::snapshot::pod_uid(&self.world.config.cluster_id, namespace, name);
        self.output.pod(&uid, after.map(|after| after.0));
    }
}

/// A pod that may prove who it is: any that has not failed.
#[derive(PartialEq)]
struct Presence(PodIdentity);

impl Presence {
    fn of(pod: &Pod) -> Option<Self> {
        (pod.phase != Phase::Failed).then(|| {
            Self(PodIdentity {
                uid: pod.meta.uid.clone(),
                service_account: pod.service_account.clone(),
                node: pod.node.clone(),
            })
        })
    }
}
