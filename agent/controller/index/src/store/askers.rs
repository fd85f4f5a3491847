//! Who asks for a gateway.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::index::Owner;

/// Who names a waypoint in his labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asker {
    /// A namespace, for what is in it.
    Namespace(Arc<str>),
    /// A service, a service entry, a pod or a workload entry for itself, and its namespace.
    Object(Owner, Arc<str>),
}

/// Askers by the namespace and name of the gateway, whether there is such a gateway or not.
#[derive(Debug, Default)]
pub(crate) struct Askers {
    gateways: HashMap<(Arc<str>, Arc<str>), BTreeSet<Asker>>,
}

impl Askers {
    /// What an asker asked for before, and asks for now.
    pub(crate) fn change(
        &mut self,
        asker: &Asker,
        before: &[(Arc<str>, Arc<str>)],
        after: &[(Arc<str>, Arc<str>)],
    ) {
        for gateway in before {
            if let Some(askers) = self.gateways.get_mut(gateway) {
                askers.remove(asker);
                if askers.is_empty() {
                    self.gateways.remove(gateway);
                }
            }
        }
        for gateway in after {
            self.gateways.entry(gateway.clone()).or_default().insert(asker.clone());
        }
    }

    /// Who asks for a gateway.
    pub(crate) fn of(&self, namespace: &Arc<str>, name: &Arc<str>) -> impl Iterator<Item = &Asker> {
        self.gateways.get(&(namespace.clone(), name.clone())).into_iter().flatten()
    }

    /// All gateways that somebody asks for, and who.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&(Arc<str>, Arc<str>), &BTreeSet<Asker>)> {
        self.gateways.iter()
    }
}
