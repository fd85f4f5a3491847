//! What is computed for itself, and what it may depend on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use weir_resources::Key;

use crate::policy::Target;

/// Namespace and name of a Gateway.
pub(crate) type Gateway = (Arc<str>, Arc<str>);

/// A service for the waypoints of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) reader: Arc<str>,
    /// `namespace/hostname`.
    pub(crate) service: Arc<str>,
}

/// What is computed for itself. In this order: each touches none but those that follow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Unit {
    /// Which services a route is attached to.
    Route(Key),
    Frontend(At),
    Backend(At),
    /// What a credential is; in the place of the service is its name, `namespace/name`.
    Secret(At),
    Endpoints(At),
    Waypoint(Gateway),
    /// What the author of a VirtualService, a DestinationRule or a route is told.
    Status(Key),
}

/// What a unit may depend on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dep {
    /// The services of a host name.
    Host(Arc<str>),
    /// VirtualServices that name a host or an address.
    VirtualServices(Arc<str>),
    /// Those that name hosts by a wildcard.
    WideVirtualServices,
    /// One VirtualService, to which others delegate.
    Delegate(Arc<str>, Arc<str>),
    /// Routes that are attached to a service.
    Routes(Arc<str>),
    /// DestinationRules of a host.
    Rules(Arc<str>),
    /// Those of hosts by a wildcard.
    WideRules,
    ServiceEntry(Arc<str>, Arc<str>),
    /// ReferenceGrants of a namespace.
    Grants(Arc<str>),
    Gateway(Arc<str>, Arc<str>),
    Secret(Arc<str>, Arc<str>),
    /// Policies that name it.
    Policies(Target),
    /// Policies that may be for all of a namespace.
    PoliciesOf(Arc<str>),
    /// Policies that may be for everything.
    AllPolicies,
}

/// Who depends on what.
#[derive(Debug, Default)]
pub(super) struct Deps {
    of: HashMap<Unit, BTreeSet<Dep>>,
    users: BTreeMap<Dep, BTreeSet<Unit>>,
}

impl Deps {
    /// What a unit depends on now.
    pub(super) fn set(&mut self, unit: &Unit, now: BTreeSet<Dep>) {
        let before = match now.is_empty() {
            true => self.of.remove(unit),
            false => self.of.insert(unit.clone(), now.clone()),
        };
        let before = before.unwrap_or_default();
        for gone in before.difference(&now) {
            if let Some(users) = self.users.get_mut(gone) {
                users.remove(unit);
                if users.is_empty() {
                    self.users.remove(gone);
                }
            }
        }
        for new in now.difference(&before) {
            self.users.entry(new.clone()).or_default().insert(unit.clone());
        }
    }

    /// Who depends on it.
    pub(super) fn users(&self, dep: &Dep) -> impl Iterator<Item = &Unit> {
        self.users.get(dep).into_iter().flatten()
    }
}
