//! The resources of one owner, from what was read.

use std::sync::Arc;

use super::{Index, Owner};
use crate::publish;
use crate::store::Item;

impl Index {
    pub(super) fn compute_pod(&mut self, id: u32) {
        self.compute_node_pod(id);
        let Some(pod) = self.world.pods.at(id) else { return };
        match publish::pod(&self.world, pod) {
            Some((mut workload, services)) => {
                self.guards.guard(&self.world, &pod.meta, &mut workload);
                self.output.workload(workload, services, &pod.node);
            }
            None => {
                let uid = publish::pod_uid(&self.world, pod);
                self.guards.forget(&uid);
                self.output.remove(&uid);
            }
        }
    }

    pub(super) fn compute_entry(&mut self, id: u32) {
        let Some(entry) = self.world.entries.at(id) else { return };
        let meta = entry.meta();
        let (namespace, name) = (meta.namespace.clone(), meta.name.clone());
        let (workload, binding) = publish::entry(&self.world, entry);
        let is_sent = workload.is_some();
        match workload {
            Some((mut workload, services)) => {
                self.guards.guard(&self.world, meta, &mut workload);
                self.output.workload(workload, services, &Arc::default());
            }
            None => {
                let uid = publish::entry_uid(&self.world, &namespace, &name);
                self.guards.forget(&uid);
                self.output.remove(&uid);
            }
        }
        self.tell_entry(id, is_sent, binding);
    }

    pub(super) fn compute_slice(&mut self, owner: &Owner, namespace: &str, name: &str) {
        let Some(slice) = self.world.slices.get(namespace, name) else { return };
        let workloads = publish::slice(&self.world, slice);
        self.publish_made(owner, workloads);
    }

    /// Computes the resource of a service, and tells it about its waypoint.
    pub(super) fn compute_service(&mut self, owner: &Owner, namespace: &Arc<str>, name: &Arc<str>) {
        let Some(service) = self.world.services.get(namespace, name) else { return };
        let host = self.world.service_name(namespace, name);
        let binding = self.world.owns(owner, &host).then(|| {
            let (message, binding) = publish::service(&self.world, service, &host);
            self.output.service(&host, message);
            binding
        });
        self.tell_service(namespace, name, binding.unwrap_or_default());
    }

    pub(super) fn compute_service_entry(&mut self, owner: &Owner, namespace: &Arc<str>, name: &Arc<str>) {
        let Some(entry) = self.world.service_entries.get(namespace, name) else { return };
        let mut published = publish::service_entry(&self.world, entry, owner);
        for (name, message) in &published.services {
            self.output.service(name, message.clone());
        }
        self.publish_made(owner, std::mem::take(&mut published.workloads));
        self.tell_service_entry(namespace, name, published);
    }

    fn publish_made(&mut self, owner: &Owner, workloads: Vec<publish::Made>) {
        let uids = workloads.iter().map(|(workload, _)| workload.uid.as_str().into()).collect();
        for (workload, services) in workloads {
            self.output.workload(workload, services, &Arc::default());
        }
        self.make(owner, uids);
    }
}
