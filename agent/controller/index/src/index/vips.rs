//! Addresses of service entries that have none.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use weir_resources::{Resolution, ServiceEntry};

use super::{Index, Owner};

impl Index {
    /// Brings the addresses held for an entry to what it needs now. `before` are the hosts that it had.
    pub(super) fn change_vips(&mut self, namespace: &Arc<str>, name: &Arc<str>, before: &[Arc<str>]) {
        let holder = |host: &Arc<str>| (namespace.clone(), name.clone(), host.clone());
        let entry = self.world.service_entries.get(namespace, name);
        let entry = entry.filter(|entry| self.world.config.allocate_addresses && wants(entry));
        let hosts: BTreeSet<_> = entry
            .into_iter()
            .flat_map(|entry| &entry.hosts)
            .filter(|host| may_have(host, entry))
            .cloned()
            .collect();
        for gone in before.iter().filter(|host| !hosts.contains(*host)) {
            self.world.vips.release(&holder(gone));
        }
        let said: Vec<(Arc<str>, IpAddr)> = entry.map(|entry| entry.allocated.clone()).unwrap_or_default();
        for host in &hosts {
            let said: Vec<_> =
                said.iter().filter(|(of, _)| of.is_empty() || of == host).map(|(_, ip)| *ip).collect();
            let losers = self.world.vips.hold(&holder(host), &said);
            for loser in losers {
                self.world.vips.hold(&loser, &[]);
                self.dirty.insert(Owner::ServiceEntry(loser.0, loser.1));
            }
        }
    }
}

/// An entry without addresses whose hosts are more than a name for what is dialled.
pub(crate) fn wants(entry: &ServiceEntry) -> bool {
    entry.addresses.is_empty()
        && entry.resolution != Resolution::None
        && entry.meta.labels.get("networking.istio.io/enable-autoallocate-ip") != Some("false")
}

/// A wildcard has no one address, unless the name is taken from the connection.
fn may_have(host: &str, entry: Option<&ServiceEntry>) -> bool {
    !host.starts_with('*') || entry.is_some_and(|entry| entry.resolution == Resolution::DynamicDns)
}
