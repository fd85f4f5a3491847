//! What has to be computed, and what was found out on the way.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use weir_resources::{Key, Kind};
use weir_routing::{ObjectRef, Remark};

use super::backend::Chosen;
use super::labels::LabelsAsked;
use super::unit::{At, Dep, Deps, Gateway, Unit};

/// The state between commits.
#[derive(Debug, Default)]
pub(crate) struct L7 {
    deps: Deps,
    dirty: BTreeSet<Unit>,
    /// Waypoints of a service.
    bound: HashMap<Arc<str>, BTreeSet<Gateway>>,
    /// Services of a waypoint.
    frontends: HashMap<Gateway, BTreeSet<Arc<str>>>,
    /// Services that a frontend names, itself among them.
    named: HashMap<At, BTreeSet<Arc<str>>>,
    /// How many frontends name a service; by service, then reader.
    wanted: HashMap<Arc<str>, HashMap<Arc<str>, usize>>,
    /// Secrets that a backend names.
    secrets: HashMap<At, BTreeSet<Arc<str>>>,
    /// Backends that name a secret.
    named_by: HashMap<At, BTreeSet<At>>,
    /// What a backend asks of its endpoints.
    pub(super) chosen: HashMap<At, Chosen>,
    pub(super) labels: LabelsAsked,
    /// What frontends and backends found to say about objects.
    remarks: HashMap<Unit, Vec<Remark>>,
    remarked: HashMap<Key, BTreeSet<Unit>>,
}

impl L7 {
    /// Something that units may depend on has changed.
    pub(crate) fn touch(&mut self, dep: &Dep) {
        let users: Vec<Unit> = self.deps.users(dep).cloned().collect();
        self.dirty.extend(users);
    }

    /// A unit has to be computed.
    pub(crate) fn mark(&mut self, unit: Unit) {
        self.dirty.insert(unit);
    }

    /// Endpoints of a service have changed, or it has others.
    pub(crate) fn touch_members(&mut self, service: &Arc<str>) {
        for reader in self.wanted.get(service).into_iter().flat_map(HashMap::keys) {
            let at = At { reader: reader.clone(), service: service.clone() };
            self.dirty.insert(Unit::Endpoints(at));
        }
    }

    /// The waypoints of a service.
    pub(crate) fn bind(&mut self, service: &Arc<str>, gateways: BTreeSet<Gateway>) {
        let before = match gateways.is_empty() {
            true => self.bound.remove(service),
            false => self.bound.insert(service.clone(), gateways.clone()),
        };
        let before = before.unwrap_or_default();
        for gateway in before.symmetric_difference(&gateways) {
            let services = self.frontends.entry(gateway.clone()).or_default();
            match gateways.contains(gateway) {
                true => services.insert(service.clone()),
                false => services.remove(service),
            };
            if services.is_empty() {
                self.frontends.remove(gateway);
            }
            let at = At { reader: gateway.0.clone(), service: service.clone() };
            self.dirty.extend([Unit::Frontend(at), Unit::Waypoint(gateway.clone())]);
        }
    }

    /// The labels that rules ask for.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &Arc<str>> {
        self.labels.all()
    }

    /// Whether rules ask for other labels than at the last call.
    pub(crate) fn take_labels_changed(&mut self) -> bool {
        self.labels.take_changed()
    }

    /// The next unit to compute.
    pub(crate) fn next(&mut self) -> Option<Unit> {
        self.dirty.pop_first()
    }

    /// What a unit depends on from now on.
    pub(super) fn depends(&mut self, unit: &Unit, on: BTreeSet<Dep>) {
        self.deps.set(unit, on);
    }

    pub(super) fn is_bound(&self, at: &At) -> bool {
        self.bound.get(&at.service).is_some_and(|gateways| gateways.iter().any(|(ns, _)| *ns == at.reader))
    }

    pub(super) fn is_wanted(&self, at: &At) -> bool {
        self.wanted.get(&at.service).is_some_and(|readers| readers.contains_key(&at.reader))
    }

    /// The services of a waypoint, in order.
    pub(super) fn services(&self, gateway: &Gateway) -> impl Iterator<Item = &Arc<str>> {
        self.frontends.get(gateway).into_iter().flatten()
    }

    /// The services that a frontend names now.
    pub(super) fn name(&mut self, at: &At, services: BTreeSet<Arc<str>>) {
        let before = match services.is_empty() {
            true => self.named.remove(at),
            false => self.named.insert(at.clone(), services.clone()),
        };
        let before = before.unwrap_or_default();
        for service in before.symmetric_difference(&services) {
            let more = services.contains(service);
            self.count(&At { reader: at.reader.clone(), service: service.clone() }, more);
        }
    }

    /// The secrets that a backend names now.
    pub(super) fn name_secrets(&mut self, at: &At, secrets: BTreeSet<Arc<str>>) {
        let before = match secrets.is_empty() {
            true => self.secrets.remove(at),
            false => self.secrets.insert(at.clone(), secrets.clone()),
        };
        let before = before.unwrap_or_default();
        for secret in before.symmetric_difference(&secrets) {
            let named = At { reader: at.reader.clone(), service: secret.clone() };
            let users = self.named_by.entry(named.clone()).or_default();
            match secrets.contains(secret) {
                true => users.insert(at.clone()),
                false => users.remove(at),
            };
            if users.is_empty() {
                self.named_by.remove(&named);
            }
            self.dirty.insert(Unit::Secret(named));
        }
    }

    pub(super) fn is_secret_named(&self, secret: &At) -> bool {
        self.named_by.contains_key(secret)
    }

    fn count(&mut self, at: &At, more: bool) {
        let readers = self.wanted.entry(at.service.clone()).or_default();
        let count = readers.entry(at.reader.clone()).or_default();
        *count = if more { *count + 1 } else { count.saturating_sub(1) };
        if *count == usize::from(more) {
            self.dirty.extend([Unit::Backend(at.clone()), Unit::Endpoints(at.clone())]);
        }
        if *count == 0 {
            readers.remove(&at.reader);
        }
        if readers.is_empty() {
            self.wanted.remove(&at.service);
        }
    }

    /// What a unit has to say about objects now. Those about which it says other things than before are told anew.
    pub(super) fn remark(&mut self, unit: &Unit, remarks: Vec<Remark>) {
        let before = match remarks.is_empty() {
            true => self.remarks.remove(unit),
            false => self.remarks.insert(unit.clone(), remarks.clone()),
        };
        let before = before.unwrap_or_default();
        if before == remarks {
            return;
        }
        for remark in &before {
            let key = key(&remark.object);
            if let Some(units) = self.remarked.get_mut(&key) {
                units.remove(unit);
                if units.is_empty() {
                    self.remarked.remove(&key);
                }
            }
            self.dirty.insert(Unit::Status(key));
        }
        for remark in &remarks {
            let key = key(&remark.object);
            self.remarked.entry(key.clone()).or_default().insert(unit.clone());
            self.dirty.insert(Unit::Status(key));
        }
    }

    /// All that is said about an object.
    pub(super) fn remarks(&self, key: &Key) -> Vec<Remark> {
        let units = self.remarked.get(key).into_iter().flatten();
        units.filter_map(|unit| self.remarks.get(unit)).flatten().cloned().collect()
    }
}

fn key(object: &ObjectRef) -> Key {
    let kind = match object.kind {
        weir_routing::Kind::VirtualService => Kind::VirtualService,
        weir_routing::Kind::DestinationRule => Kind::DestinationRule,
        weir_routing::Kind::HttpRoute => Kind::HttpRoute,
        weir_routing::Kind::GrpcRoute => Kind::GrpcRoute,
    };
    Key { kind, namespace: object.namespace.clone(), name: object.name.clone() }
}
