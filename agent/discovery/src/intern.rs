//! One copy of what many workloads say: a mesh of a hundred thousand has a few thousand namespaces, accounts, nodes and
//! service names, and every message brings them anew.

use std::collections::HashSet;
use std::sync::Arc;

use weir_model::{GatewayAddress, GatewayDestination, Service, ServiceKey, Workload};

/// Texts in use. Those that nobody uses any more go when the table has doubled.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    texts: HashSet<Arc<str>>,
    swept: usize,
}

impl Interner {
    /// Replaces a text by the copy that the others have.
    pub(crate) fn share(&mut self, text: &mut Arc<str>) {
        if let Some(known) = self.texts.get(text) {
            *text = known.clone();
            return;
        }
        if self.texts.len() >= SMALL.max(2 * self.swept) {
            self.texts.retain(|text| Arc::strong_count(text) > 1);
            self.swept = self.texts.len();
        }
        self.texts.insert(text.clone());
    }

    /// All of a workload's texts but those that are its own (uid, name, host name).
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
            &mut w.locality.region,
            &mut w.locality.zone,
            &mut w.locality.subzone,
        ];
        for text in shared.into_iter().chain(&mut w.authorization_policies) {
            self.share(text);
        }
        if w.hostname.is_empty() {
            self.share(&mut w.hostname);
        }
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
        assert!(interner.texts.len() <= 2 * SMALL, "{}", interner.texts.len());
        assert!(interner.texts.contains("shop"));
    }
}
