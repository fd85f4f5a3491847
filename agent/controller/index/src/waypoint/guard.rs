//! Past which waypoints nobody may come.
//!
//! A waypoint that somebody can go around enforces nothing. So what has one that must be passed denies, at layer 4, whoever
//! is not that waypoint: with a policy of our own making, which every node proxy understands. It must be passed where a
//! policy would be lost otherwise, or where its author says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_proto::security::string_match::MatchType;
use weir_proto::security::{Action, Authorization, Clause, Match, Rule, Scope, StringMatch};
use weir_proto::workload::Workload;
use weir_resources::Meta;

use super::labels::{asked, asked_canary, required};
use super::{EXEMPT, MANAGED, Standing, Subject, Traffic};
use crate::policy::TargetKind;
use crate::publish::GATEWAY_NAME;
use crate::world::World;

/// Namespace and name of a Gateway.
pub(crate) type GatewayName = (Arc<str>, Arc<str>);

/// What keeps others than some waypoints out of workloads of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Guard {
    pub(crate) namespace: Arc<str>,
    /// Who may come.
    pub(crate) gateways: BTreeSet<GatewayName>,
    /// Ports of the workload; none: all.
    pub(crate) ports: BTreeSet<u32>,
}

impl Guard {
    /// Key of its policy.
    pub(crate) fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name())
    }

    /// Name of its policy. No object can have such a name.
    fn name(&self) -> String {
        let gateways = self.gateways.iter().map(|(namespace, name)| format!("{namespace}.{name}"));
        let ports = self.ports.iter().map(u32::to_string);
        let parts: Vec<String> =
            std::iter::once("weir_waypoint_only".to_owned()).chain(gateways).chain(ports).collect();
        parts.join("_")
    }

    /// Its policy.
    pub(crate) fn policy(&self, world: &World) -> Authorization {
        let exactly = |text| StringMatch { match_type: Some(MatchType::Exact(text)) };
        let strangers =
            self.gateways.iter().flat_map(|gateway| world.principals_of(gateway)).map(exactly).collect();
        let all = |one: Match| Clause { matches: vec![one] };
        let mut clauses = vec![all(Match { not_principals: strangers, ..Match::default() })];
        if !self.ports.is_empty() {
            let destination_ports = self.ports.iter().copied().collect();
            clauses.push(all(Match { destination_ports, ..Match::default() }));
        }
        Authorization {
            name: self.name(),
            namespace: self.namespace.to_string(),
            scope: Scope::WorkloadSelector.into(),
            action: Action::Deny.into(),
            rules: vec![Rule { clauses }],
            ..Authorization::default()
        }
    }
}

impl World {
    /// What a workload must be guarded by: one guard for each set of waypoints, with its ports.
    pub(crate) fn guards(&self, meta: &Meta, workload: &Workload) -> Vec<Guard> {
        let namespace = &meta.namespace;
        let mut ports: BTreeMap<u32, BTreeSet<GatewayName>> = BTreeMap::new();
        for (name, list) in &workload.services {
            let Some((subject, target)) = self.service_subject(name) else { continue };
            let gateways = self.must_pass(&subject, Some(target));
            for port in list.ports.iter().filter(|_| !gateways.is_empty()) {
                ports.entry(port.target_port).or_default().extend(gateways.iter().cloned());
            }
        }
        let own = self.must_pass(&Subject { meta, traffic: Traffic::Workload, private: false }, None);
        if !own.is_empty() {
            // Every port is closed, and what the services' waypoints send on must still come in.
            let gateways = own.into_iter().chain(ports.into_values().flatten()).collect();
            return vec![Guard { namespace: namespace.clone(), gateways, ports: BTreeSet::new() }];
        }
        let mut by_gateways: BTreeMap<BTreeSet<GatewayName>, BTreeSet<u32>> = BTreeMap::new();
        for (port, gateways) in ports {
            by_gateways.entry(gateways).or_default().insert(port);
        }
        let guard = |(gateways, ports)| Guard { namespace: namespace.clone(), gateways, ports };
        by_gateways.into_iter().map(guard).collect()
    }

    /// The waypoints of which one must be passed; none if nothing must.
    fn must_pass(&self, subject: &Subject<'_>, target: Option<TargetKind>) -> BTreeSet<GatewayName> {
        let meta = subject.meta;
        let said = required(meta, self.namespaces.get(&meta.namespace));
        let may_be = match said {
            Some(said) => said,
            None => !self.config.waypoint_bypass && !self.policies.is_nothing_attached(),
        };
        if !may_be {
            return BTreeSet::new();
        }
        let gateways = self.asked_waypoints(subject);
        let demands = |kind, namespace: &str, name: &str| self.policies.demands(kind, namespace, name);
        let of_gateway = |(namespace, name): &GatewayName| {
            let class = self.gateways.get(namespace, name).map(|gateway| &gateway.class);
            demands(TargetKind::Gateway, namespace, name)
                || class.is_some_and(|class| demands(TargetKind::GatewayClass, "", class))
        };
        let demanded = said.is_some()
            || target.is_some_and(|kind| demands(kind, &meta.namespace, &meta.name))
            || gateways.iter().any(of_gateway);
        if demanded { gateways } else { BTreeSet::new() }
    }

    /// The waypoints that an object's traffic goes through, or would if they were there.
    fn asked_waypoints(&self, subject: &Subject<'_>) -> BTreeSet<GatewayName> {
        let meta = subject.meta;
        if meta.labels.get(MANAGED).is_some_and(|by| EXEMPT.contains(&by)) {
            return BTreeSet::new();
        }
        let namespace = self.namespaces.get(&meta.namespace);
        let Some(first) = asked(meta, namespace) else { return BTreeSet::new() };
        match self.standing(&first, subject) {
            Standing::Unsuited => return BTreeSet::new(),
            Standing::Refused(..) if self.config.waypoint_fallback_direct => return BTreeSet::new(),
            Standing::Ready(_) | Standing::Refused(..) => {}
        }
        let canary = asked_canary(meta, namespace).filter(|_| subject.traffic == Traffic::Service);
        let canary = canary.map(|(ask, _)| ask);
        let canary = canary.filter(|ask| matches!(self.standing(ask, subject), Standing::Ready(_)));
        std::iter::once(first).chain(canary).map(|ask| (ask.namespace, ask.name)).collect()
    }

    /// Whom a waypoint's pods prove to be: its own account, and that of whoever bears its name as a label.
    fn principals_of(&self, (namespace, name): &GatewayName) -> BTreeSet<String> {
        let gateway = self.gateways.get(namespace, name);
        let said = gateway.and_then(|gateway| gateway.meta.annotations.get(ACCOUNT));
        let labels = [(GATEWAY_NAME, &**name)].into_iter().collect();
        let pods = self.pods.matching(namespace, &labels).into_iter().filter_map(|id| self.pods.at(id));
        let accounts = pods.map(|pod| &*pod.service_account).chain([said.unwrap_or(name)]);
        let domain = &self.config.trust_domain;
        accounts.map(|account| format!("{domain}/ns/{namespace}/sa/{account}")).collect()
    }
}

/// Annotation that names the account of a Gateway's pods.
pub(crate) const ACCOUNT: &str = "gateway.istio.io/service-account";
