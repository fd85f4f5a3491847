//! The picture of the mesh that every decision is taken from.
//!
//! Persistent maps: a clone is a few reference counts, and an update copies only the paths it touches, so a
//! writer can publish a snapshot per change and readers never wait. The indexes answer the three questions of
//! the data path: who has this address, which service has this virtual address, who serves this service; and which
//! policies are for this workload.

use std::net::IpAddr;
use std::sync::Arc;

use imbl::{HashMap, OrdSet};

mod by_uid;
mod cidr;
mod claim;
mod policies;
mod update;

use crate::{Service, ServiceKey, Visibility, Workload};
use by_uid::ByUid;
use cidr::Ranges;
use claim::Claims;
use policies::Policies;

/// An immutable picture of the mesh. Cloning is cheap; a clone does not see later updates.
///
/// It is the same whatever order the updates came in: ties are broken by the things themselves.
#[derive(Clone, Default)]
pub struct Directory {
    /// Sorted, as [`Claims`] are and for the same reason.
    workloads: Members,
    services: HashMap<ServiceKey, Arc<Service>>,
    by_ip: Claims<IpAddr, Workload>,
    by_vip: Claims<IpAddr, Service>,
    by_range: Ranges,
    /// Also of services that are not known (yet).
    endpoints: HashMap<ServiceKey, Members>,
    by_node: HashMap<Arc<str>, Members>,
    policies: Policies,
}

/// Workloads in the order of their uids.
type Members = OrdSet<ByUid>;

impl Directory {
    /// A mesh with nobody in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// The workload with this uid.
    pub fn workload(&self, uid: &str) -> Option<&Arc<Workload>> {
        self.workloads.get(uid).map(|member| &member.0)
    }

    /// The workload that has this address in this network (empty: the only one). A v4-mapped address is its
    /// IPv4 address. Of several claimants a healthy one comes first, then the lowest uid.
    pub fn workload_by_ip(&self, network: &str, ip: IpAddr) -> Option<&Arc<Workload>> {
        self.by_ip.get(network, &ip.to_canonical()).first()
    }

    /// The service with this key.
    pub fn service(&self, key: &ServiceKey) -> Option<&Arc<Service>> {
        self.services.get(key)
    }

    /// The service behind a virtual address, for a client of namespace `from_ns`: an exact address before a
    /// range, a longer range before a shorter; then the client's own namespace, then the canonical service,
    /// then the lowest key. Services that the client may not see are not there.
    pub fn service_by_vip(&self, network: &str, ip: IpAddr, from_ns: &str) -> Option<&Arc<Service>> {
        let ip = ip.to_canonical();
        let exact = preferred(self.by_vip.get(network, &ip), from_ns);
        exact.or_else(|| {
            self.by_range.covering(network, ip).find_map(|claimants| preferred(claimants, from_ns))
        })
    }

    /// The workloads that serve a service, in the order of their uids.
    pub fn endpoints(&self, key: &ServiceKey) -> impl Iterator<Item = &Arc<Workload>> {
        self.endpoints.get(key).into_iter().flatten().map(|member| &member.0)
    }

    /// How many workloads serve a service.
    pub fn endpoint_count(&self, key: &ServiceKey) -> usize {
        self.endpoints.get(key).map_or(0, OrdSet::len)
    }

    /// The workloads of a node, in the order of their uids.
    pub fn workloads_on(&self, node: &str) -> impl Iterator<Item = &Arc<Workload>> {
        self.by_node.get(node).into_iter().flatten().map(|member| &member.0)
    }

    /// All workloads, in the order of their uids.
    pub fn workloads(&self) -> impl ExactSizeIterator<Item = &Arc<Workload>> {
        self.workloads.iter().map(|member| &member.0)
    }

    /// All services, in no order.
    pub fn services(&self) -> impl ExactSizeIterator<Item = &Arc<Service>> {
        self.services.values()
    }
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory")
            .field("workloads", &self.workloads.len())
            .field("services", &self.services.len())
            .field("policies", &self.policies().len())
            .finish_non_exhaustive()
    }
}

/// The claimants are sorted canonical first, so the first of each kind is the answer.
fn preferred<'a>(claimants: &'a [Arc<Service>], from_ns: &str) -> Option<&'a Arc<Service>> {
    let own = |s: &&Arc<Service>| &*s.key.namespace == from_ns;
    let visible = |s: &&Arc<Service>| s.visibility == Visibility::Public;
    claimants.iter().find(own).or_else(|| claimants.iter().find(visible))
}

#[cfg(test)]
mod tests;
