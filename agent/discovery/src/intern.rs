//! One copy of what many workloads say: a mesh of a hundred thousand has a few thousand namespaces, accounts, nodes and
//! service names, and every message brings them anew.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use weir_model::{
    ConnectionPolicy, GatewayAddress, GatewayDestination, Locality, PortMapping, Service, ServiceKey,
    Workload,
};

/// What is shared.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    texts: Pool<str>,
    /// Services of a workload, with its ports: the same for all pods behind the same services.
    services: Pool<BTreeMap<ServiceKey, Vec<PortMapping>>>,
    localities: Pool<Locality>,
    /// A rule of the whole mesh says the same of every port.
    policies: Pool<ConnectionPolicy>,
}

/// Things in use. Those that nobody uses any more go when there are twice as many.
#[derive(Debug)]
struct Pool<T: ?Sized> {
    known: HashSet<Arc<T>>,
    swept: usize,
}

impl<T: ?Sized> Default for Pool<T> {
    fn default() -> Self {
        Self { known: HashSet::new(), swept: 0 }
    }
}

impl<T: ?Sized + Hash + Eq> Pool<T> {
    /// Replaces a thing by the copy that the others have.
    fn share(&mut self, thing: &mut Arc<T>) {
        if let Some(known) = self.known.get(&**thing) {
            *thing = known.clone();
            return;
        }
        if self.known.len() >= SMALL.max(2 * self.swept) {
            self.known.retain(|thing| Arc::strong_count(thing) > 1);
            self.swept = self.known.len();
        }
        self.known.insert(thing.clone());
    }
}

impl Interner {
    fn share(&mut self, text: &mut Arc<str>) {
        self.texts.share(text);
    }

    /// All of a workload that others have, too: not its uid, name and host name.
    pub(crate) fn share_workload(&mut self, workload: &mut Workload) {
        let w = workload;
        let shared = [
            &mut w.namespace,
            &mut w.network,
            &mut w.trust_domain,
            &mut w.service_account,
            &mut w.node,
            &mut w.canonical_name,
            &mut w.canonical_revision,
            &mut w.workload_name,
            &mut w.cluster_id,
        ];
        for text in shared.into_iter().chain(&mut w.authorization_policies) {
            self.share(text);
        }
        if w.hostname.is_empty() {
            self.share(&mut w.hostname);
        }
        self.services.share(&mut w.services);
        self.localities.share(&mut w.locality);
        // Collected one by one, one address takes the room of four.
        w.addresses.shrink_to_fit();
        w.authorization_policies.shrink_to_fit();
        for gateway in [&mut w.waypoint, &mut w.network_gateway].into_iter().flatten() {
            self.share_gateway(gateway);
        }
    }

    /// A service's key and networks, which its workloads and neighbours have, too.
    pub(crate) fn share_service(&mut self, service: &mut Service) {
        self.share_key(&mut service.key);
        for (network, _) in &mut service.vips {
            self.share(network);
        }
        for (network, _) in &mut service.cidr_vips {
            self.share(network);
        }
        if let Some(gateway) = &mut service.waypoint {
            self.share_gateway(gateway);
        }
        for audience in &mut service.audiences {
            audience.namespaces.iter_mut().for_each(|namespace| self.share(namespace));
            audience.ports.iter_mut().for_each(|(_, policy)| self.policies.share(policy));
        }
    }

    fn share_key(&mut self, key: &mut ServiceKey) {
        self.share(&mut key.namespace);
        self.share(&mut key.hostname);
    }

    fn share_gateway(&mut self, gateway: &mut GatewayAddress) {
        match &mut gateway.destination {
            GatewayDestination::Hostname(key) => self.share_key(key),
            GatewayDestination::Address { network, .. } => self.share(network),
        }
    }
}

/// Below this, unused texts cost less than looking for them.
const SMALL: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_unused_ones_go() {
        let mut interner = Interner::default();
        let (mut a, mut b): (Arc<str>, Arc<str>) = ("shop".into(), "shop".into());
        interner.share(&mut a);
        interner.share(&mut b);
        assert!(Arc::ptr_eq(&a, &b));
        for n in 0..10 * SMALL {
            interner.share(&mut n.to_string().into());
        }
        assert!(interner.texts.known.len() <= 2 * SMALL, "{}", interner.texts.known.len());
        assert!(interner.texts.known.contains("shop"));
    }
}
