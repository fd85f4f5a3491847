//! The mesh as translation asks about it. What is asked for is remembered.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use weir_proto::l7::{self, Authorization};
use weir_routing::{Credential, DestinationRule, GatewayKind, Grant, Lookup, Service};

use super::secrets;
use super::unit::Dep;
use crate::Snapshot;
use crate::policy::Target;
use crate::world::World;

/// Everything there is.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) world: &'a World,
    pub(crate) snapshot: &'a Snapshot,
}

/// The same, as it is seen in a namespace.
pub(super) struct View<'a> {
    pub(super) scene: Scene<'a>,
    pub(super) reader: &'a str,
    asked: RefCell<BTreeSet<Dep>>,
}

impl<'a> View<'a> {
    pub(super) fn new(scene: Scene<'a>, reader: &'a str) -> Self {
        Self { scene, reader, asked: RefCell::default() }
    }

    /// The services of this host name, and the rules for them, matter.
    pub(super) fn ask(&self, dep: Dep) {
        self.asked.borrow_mut().insert(dep);
    }

    /// Everything that was asked.
    pub(super) fn into_asked(self) -> BTreeSet<Dep> {
        self.asked.into_inner()
    }

    /// The service `namespace/hostname`.
    pub(super) fn named(&self, name: &str) -> Option<Service> {
        let host = name.split_once('/').map_or(name, |(_, host)| host);
        self.ask(Dep::Host(host.into()));
        self.scene.service(name)
    }

    /// What holds for a target.
    pub(super) fn policies(&self, target: Target) -> Vec<Authorization> {
        self.ask(Dep::PoliciesOf(target.namespace.clone()));
        self.ask(Dep::AllPolicies);
        let policies =
            self.scene.world.policies.policies_for_target(target.kind, &target.namespace, &target.name);
        self.ask(Dep::Policies(target));
        policies
    }

    /// A credential as waypoints are told it; `None`: there is none that could be used.
    pub(super) fn secret(&self, namespace: &str, name: &str) -> Option<l7::Secret> {
        self.ask_secret(namespace, name);
        self.scene.world.secrets.form(namespace, name)
    }

    /// Each is of two Secrets.
    fn ask_secret(&self, namespace: &str, name: &str) {
        self.ask(Dep::Secret(namespace.into(), name.into()));
        self.ask(Dep::Secret(namespace.into(), secrets::of_authorities(name)));
    }

    /// The DestinationRules that may be for a host matter.
    pub(super) fn ask_rules(&self, host: &str) {
        self.ask(Dep::Rules(host.into()));
        self.ask(Dep::WideRules);
    }

    /// DestinationRules that may be for a host.
    pub(super) fn rules(&self, host: &str) -> Vec<DestinationRule> {
        self.ask_rules(host);
        let kept = &self.scene.world.routings.rules;
        let names = kept.of_hosts([host].into_iter());
        names.into_iter().filter_map(|name| kept.get(name).map(|(_, rule)| rule.clone())).collect()
    }
}

impl Lookup for View<'_> {
    fn service(&self, hostname: &str, from: &str) -> Option<Service> {
        self.ask(Dep::Host(hostname.into()));
        let name = self.scene.world.claims.seen_from(hostname, from)?;
        self.scene.service(&name)
    }

    fn has_subset(&self, service: &Service, subset: &str) -> bool {
        let rules = self.rules(&service.hostname);
        let mesh = &self.scene.world.routings.mesh;
        let found = weir_routing::backend(service, self.reader, &rules, self, mesh);
        found.subsets.iter().any(|one| one.name == subset)
    }

    fn service_entry(&self, namespace: &str, name: &str) -> Option<Vec<String>> {
        self.ask(Dep::ServiceEntry(namespace.into(), name.into()));
        let entry = self.scene.world.service_entries.get(namespace, name)?;
        Some(entry.hosts.iter().map(|host| host.to_ascii_lowercase()).collect())
    }

    fn is_granted(&self, grant: &Grant<'_>) -> bool {
        self.ask(Dep::Grants(grant.to_namespace.into()));
        self.scene.world.routings.is_granted(grant)
    }

    fn gateway(&self, namespace: &str, name: &str) -> Option<GatewayKind> {
        self.ask(Dep::Gateway(namespace.into(), name.into()));
        let gateway = self.scene.world.gateways.get(namespace, name)?;
        self.scene.world.is_waypoint(gateway).then_some(GatewayKind::Waypoint)
    }

    fn credential(&self, namespace: &str, name: &str) -> Credential {
        self.ask_secret(namespace, name);
        self.scene.world.secrets.credential(namespace, name)
    }
}

/// The name of a service as it is kept.
pub(super) fn name_of(service: &Service) -> Arc<str> {
    format!("{}/{}", service.namespace, service.hostname).into()
}
