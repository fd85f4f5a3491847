//! A workload entry.

use super::machine::{self, Machine};
use super::{Made, Services, ports};
use crate::index::Owner;
use crate::store::Item;
use crate::waypoint::{Binding, Subject, Traffic};
use crate::world::{Entry, World};

/// The uid of a workload entry's workload.
pub(crate) fn entry_uid(world: &World, namespace: &str, name: &str) -> String {
    format!("{}/networking.istio.io/WorkloadEntry/{namespace}/{name}", world.config.cluster_id)
}

/// The workload of an entry with the keys of its services (`None`: no node can reach it), and its waypoint.
pub(crate) fn entry(world: &World, entry: &Entry) -> (Option<Made>, Binding) {
    let meta = entry.meta();
    let machine = Machine {
        uid: entry_uid(world, &meta.namespace, &meta.name),
        meta,
        spec: &entry.object.spec,
        labels: &entry.labels,
        healthy: entry.object.healthy && !meta.deleting,
        private: false,
        services: services(world, entry),
    };
    let binding = world.binding(&Subject { meta, traffic: Traffic::Workload, private: false });
    (machine::workload(world, machine), binding)
}

fn services(world: &World, entry: &Entry) -> Services {
    world.serving(&entry.meta().namespace, &entry.labels, |owner| match owner {
        Owner::Service(namespace, name) => {
            let service = world.services.get(namespace, name)?;
            Some(ports::of_machine(service, &entry.object.spec.ports))
        }
        Owner::ServiceEntry(namespace, name) => {
            let service = world.service_entries.get(namespace, name)?;
            Some(ports::of_endpoint(service, &entry.object.spec.ports))
        }
        Owner::Slice(..) | Owner::Entry(_) | Owner::Pod(_) => None,
    })
}
