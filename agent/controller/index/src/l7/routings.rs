//! Everything about requests that was read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;
use weir_resources::{Key, Kind, Meta, Routing};
use weir_routing::{DestinationRule, Grant, Mesh, Route, VirtualService};

use super::grant::permits;
use super::kept::{Kept, is_wide};
use super::unit::{Dep, Gateway as Name, Unit};
use crate::Config;

/// VirtualServices, DestinationRules, routes and grants.
#[derive(Debug)]
pub(crate) struct Routings {
    pub(super) mesh: Mesh,
    pub(super) virtual_services: Kept<VirtualService>,
    pub(super) rules: Kept<DestinationRule>,
    pub(super) routes: BTreeMap<Key, (Routing, Route)>,
    grants: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Value>>,
    /// Routes by the services that they are attached to.
    pub(super) routes_of: HashMap<Arc<str>, BTreeSet<Key>>,
    /// Credentials that rules name, and how many do.
    credentials: BTreeMap<Name, usize>,
}

/// Whom a change concerns.
#[derive(Debug, Default)]
pub(crate) struct Concerned {
    pub(crate) deps: Vec<Dep>,
    pub(crate) units: Vec<Unit>,
    /// Hosts, or wildcards, whose DestinationRules are others.
    pub(crate) rules: Vec<Arc<str>>,
}

impl Routings {
    pub(crate) fn new(config: &Config) -> Self {
        let mesh = Mesh {
            domain: config.cluster_domain.to_string(),
            root_namespace: config.root_namespace.to_string(),
            ..Mesh::default()
        };
        Self {
            mesh,
            virtual_services: Kept::default(),
            rules: Kept::default(),
            routes: BTreeMap::new(),
            grants: BTreeMap::new(),
            routes_of: HashMap::new(),
            credentials: BTreeMap::new(),
        }
    }

    /// An object is there, or (`None`) is gone.
    pub(crate) fn set(&mut self, key: &Key, new: Option<Routing>) -> Concerned {
        let name = (key.namespace.clone(), key.name.clone());
        let mut concerned = Concerned::default();
        match key.kind {
            Kind::VirtualService => self.set_virtual_service(&name, new, &mut concerned.deps),
            Kind::DestinationRule => self.set_rule(&name, new, &mut concerned),
            Kind::ReferenceGrant => {
                self.set_grant(&name, new);
                concerned.deps.push(Dep::Grants(name.0));
                return concerned;
            }
            _ => self.set_route(key, new, &mut concerned),
        }
        concerned.units.push(Unit::Status(key.clone()));
        concerned
    }

    /// Those that are there of a kind.
    pub(crate) fn keys(&self, kind: Kind) -> BTreeSet<Key> {
        let key = |(namespace, name): &Name| Key::new(kind, namespace, name);
        match kind {
            Kind::VirtualService => self.virtual_services.names().map(key).collect(),
            Kind::DestinationRule => self.rules.names().map(key).collect(),
            Kind::ReferenceGrant => {
                let grants = self.grants.iter();
                grants.flat_map(|(ns, names)| names.keys().map(|name| Key::new(kind, ns, name))).collect()
            }
            _ => self.routes.keys().filter(|key| key.kind == kind).cloned().collect(),
        }
    }

    /// Where a route is attached from now on. Answers with the services where that is news.
    pub(super) fn attach(&mut self, key: &Key, services: BTreeSet<Arc<str>>) -> Vec<Arc<str>> {
        let attached = self.routes_of.iter().filter(|(_, routes)| routes.contains(key));
        let before: BTreeSet<Arc<str>> = attached.map(|(service, _)| service.clone()).collect();
        let news: Vec<_> = before.symmetric_difference(&services).cloned().collect();
        for service in &news {
            let routes = self.routes_of.entry(service.clone()).or_default();
            match services.contains(service) {
                true => routes.insert(key.clone()),
                false => routes.remove(key),
            };
            if routes.is_empty() {
                self.routes_of.remove(service);
            }
        }
        news
    }

    pub(super) fn is_granted(&self, grant: &Grant<'_>) -> bool {
        let grants = self.grants.get(grant.to_namespace).into_iter().flat_map(BTreeMap::values);
        grants.into_iter().any(|spec| permits(spec, grant))
    }

    fn set_virtual_service(&mut self, name: &Name, new: Option<Routing>, deps: &mut Vec<Dep>) {
        let mesh = &self.mesh;
        let hosts = |one: &VirtualService| one.hosts(mesh).into_iter().map(Arc::from).collect();
        let new = new.map(|object| {
            let read = VirtualService::read(&object.meta, &object.spec);
            (object, read)
        });
        let after: Vec<Arc<str>> = new.as_ref().map(|(_, read)| hosts(read)).unwrap_or_default();
        let is_same = is_same(self.virtual_services.get(name).map(|(object, _)| object), new.as_ref());
        let before = self.virtual_services.set(name, new, hosts);
        if is_same {
            return;
        }
        let before = before.map(|(_, read)| hosts(&read)).unwrap_or_default();
        deps.extend(before.into_iter().chain(after).map(|host| match is_wide(&host) {
            true => Dep::WideVirtualServices,
            false => Dep::VirtualServices(host),
        }));
        deps.push(Dep::Delegate(name.0.clone(), name.1.clone()));
    }

    fn set_rule(&mut self, name: &Name, new: Option<Routing>, concerned: &mut Concerned) {
        let new = new.map(|object| {
            let read = DestinationRule::read(&object.meta, &object.spec);
            (object, read)
        });
        self.count_credentials(name, new.as_ref().map(|(_, read)| read));
        let hosts = |one: &DestinationRule| vec![Arc::from(one.host(&self.mesh))];
        let after: Vec<Arc<str>> = new.as_ref().map(|(_, read)| hosts(read)).unwrap_or_default();
        let is_same = is_same(self.rules.get(name).map(|(object, _)| object), new.as_ref());
        let before = self.rules.set(name, new, hosts);
        if is_same {
            return;
        }
        let before = before.map(|(_, read)| hosts(&read)).unwrap_or_default();
        concerned.rules.extend(before.into_iter().chain(after));
        concerned.deps.extend(concerned.rules.iter().map(|host| match is_wide(host) {
            true => Dep::WideRules,
            false => Dep::Rules(host.clone()),
        }));
    }

    /// Credentials that rules name, each with the namespace in which it is looked for.
    pub(crate) fn credentials(&self) -> impl Iterator<Item = &Name> {
        self.credentials.keys()
    }

    fn count_credentials(&mut self, rule: &Name, new: Option<&DestinationRule>) {
        let rule_namespace = &rule.0;
        let named = |rule: Option<&DestinationRule>| -> BTreeSet<Name> {
            let names = rule.into_iter().flat_map(DestinationRule::credentials);
            names.map(|name| (rule_namespace.clone(), Arc::from(name))).collect()
        };
        let old = named(self.rules.get(rule).map(|(_, read)| read));
        let new = named(new);
        for name in new.difference(&old) {
            *self.credentials.entry(name.clone()).or_default() += 1;
        }
        for name in old.difference(&new) {
            let count = self.credentials.get(name).map_or(0, |count| count - 1);
            match count {
                0 => drop(self.credentials.remove(name)),
                count => drop(self.credentials.insert(name.clone(), count)),
            }
        }
    }

    fn set_route(&mut self, key: &Key, new: Option<Routing>, concerned: &mut Concerned) {
        let new = new.map(|object| {
            let read = match key.kind {
                Kind::GrpcRoute => Route::grpc(&object.meta, &object.spec),
                _ => Route::http(&object.meta, &object.spec),
            };
            (object, read)
        });
        let is_same = is_same(self.routes.get(key).map(|(object, _)| object), new.as_ref());
        match new {
            Some(new) => self.routes.insert(key.clone(), new),
            None => self.routes.remove(key),
        };
        if !is_same {
            // Where it was attached; where it will be is found out.
            let was = self.routes_of.iter().filter(|(_, routes)| routes.contains(key));
            concerned.deps.extend(was.map(|(service, _)| Dep::Routes(service.clone())));
            concerned.units.push(Unit::Route(key.clone()));
        }
    }

    fn set_grant(&mut self, (namespace, name): &Name, new: Option<Routing>) {
        let grants = self.grants.entry(namespace.clone()).or_default();
        match new {
            Some(new) => grants.insert(name.clone(), new.spec),
            None => grants.remove(name),
        };
        if grants.is_empty() {
            self.grants.remove(namespace);
        }
    }
}

/// Whether only what it is told is another.
fn is_same<T>(before: Option<&Routing>, after: Option<&(Routing, T)>) -> bool {
    let said = |object: &Routing| Meta { conditions: Vec::new(), ..object.meta.clone() };
    match (before, after) {
        (Some(before), Some((after, _))) => said(before) == said(after) && before.spec == after.spec,
        (None, None) => true,
        _ => false,
    }
}
