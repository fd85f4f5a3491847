//! Which waypoint an object's traffic goes through, and what the object is told about it.
//!
//! Fails closed: who asks for a waypoint that is not there gets its address all the same, so that node proxies refuse
//! the traffic instead of sending it past the policy that the waypoint would enforce.

use std::collections::BTreeSet;
use std::sync::Arc;

use weir_proto::workload as proto;
use weir_resources::{Gateway, Listener, Meta};

use crate::index::Owner;
use crate::policy::TargetKind;
use crate::publish::visibility;
use crate::world::World;

mod canary;
mod guard;
mod labels;
mod standing;

use labels::{Ask, asked, asked_canary};
use standing::Standing;

pub(crate) use guard::{ACCOUNT, GatewayName, Guard};
pub(crate) use labels::{gateways, is_alike};

/// What traffic of an object is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// To a service's name or address.
    Service,
    /// To a workload's own address.
    Workload,
}

/// An object that may have a waypoint.
pub(crate) struct Subject<'a> {
    /// Namespace, labels and annotations.
    pub(crate) meta: &'a Meta,
    /// What traffic is meant.
    pub(crate) traffic: Traffic,
    /// Only clients of its namespace see it.
    pub(crate) private: bool,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Binding {
    /// Where the traffic goes first.
    pub(crate) address: Option<proto::GatewayAddress>,
    /// Shares of several waypoints.
    pub(crate) weighted: Vec<proto::WeightedWaypoint>,
    /// Whether it is bound, the reason, and a sentence; `None`: nothing was asked for.
    pub(crate) outcome: Option<(bool, &'static str, String)>,
}

impl World {
    /// The service (or service entry) of a key as an object that may have a waypoint, and what policies call it.
    pub(crate) fn service_subject(&self, key: &str) -> Option<(Subject<'_>, TargetKind)> {
        let (meta, private, kind) = match self.claims.winner(key)? {
            Owner::Service(namespace, name) => {
                (&self.services.get(namespace, name)?.meta, false, TargetKind::Service)
            }
            Owner::ServiceEntry(namespace, name) => {
                let entry = self.service_entries.get(namespace, name)?;
                (&entry.meta, visibility(entry).is_private(), TargetKind::ServiceEntry)
            }
            Owner::Slice(..) | Owner::Entry(_) | Owner::Pod(_) => return None,
        };
        Some((Subject { meta, traffic: Traffic::Service, private }, kind))
    }

    /// The waypoint of an object.
    pub(crate) fn binding(&self, subject: &Subject<'_>) -> Binding {
        let meta = subject.meta;
        let managed = meta.labels.get(MANAGED).is_some_and(|by| EXEMPT.contains(&by));
        if managed {
            return Binding::default();
        }
        let Some(ask) = asked(meta, self.namespaces.get(&meta.namespace)) else { return Binding::default() };
        let name = ask.to_string();
        match self.standing(&ask, subject) {
            Standing::Ready(address) => {
                let canary = self.canary(subject, &ask, &address);
                let message = format!("Successfully attached to waypoint {name}{}", canary.note);
                Binding {
                    address: Some(address),
                    weighted: canary.weighted,
                    outcome: Some((true, "WaypointAccepted", message)),
                }
            }
            Standing::Unsuited if ask.inherited => Binding::default(),
            Standing::Unsuited => {
                let message = format!(
                    "waypoint {name} is not for this kind of traffic, which goes to its destination without it: \
                     see the Gateway's label {WAYPOINT_FOR}"
                );
                Binding { outcome: Some((false, "UnsupportedTrafficType", message)), ..Binding::default() }
            }
            Standing::Refused(address, reason, why) => {
                let direct = self.config.waypoint_fallback_direct;
                let meanwhile = if direct {
                    "traffic goes to its destination without it"
                } else {
                    "traffic is refused meanwhile"
                };
                Binding {
                    address: (!direct).then_some(address),
                    outcome: Some((false, reason, format!("waypoint {name} {why}; {meanwhile}"))),
                    ..Binding::default()
                }
            }
        }
    }

    /// The waypoints that have to serve an object, whether they are ready or not: one that starts is ready when it knows
    /// what it serves.
    pub(crate) fn servers(&self, subject: &Subject<'_>) -> BTreeSet<(Arc<str>, Arc<str>)> {
        let meta = subject.meta;
        if meta.labels.get(MANAGED).is_some_and(|by| EXEMPT.contains(&by)) {
            return BTreeSet::new();
        }
        let namespace = self.namespaces.get(&meta.namespace);
        let canary = asked_canary(meta, namespace).map(|(ask, _)| ask);
        let asks = asked(meta, namespace).into_iter().chain(canary);
        let serves = |ask: &Ask| {
            let gateway = self.gateways.get(&ask.namespace, &ask.name);
            gateway.is_some_and(|gateway| self.is_waypoint(gateway))
                && !matches!(self.standing(ask, subject), Standing::Unsuited)
                && self.is_open_to(ask, subject)
        };
        asks.filter(serves).map(|ask| (ask.namespace, ask.name)).collect()
    }

    /// Whether it is one of ours.
    pub(crate) fn is_waypoint(&self, gateway: &Gateway) -> bool {
        self.is_waypoint_class(&gateway.class)
    }

    /// Whether the gateway is for such traffic.
    pub(crate) fn serves(&self, gateway: &Gateway, traffic: Traffic) -> bool {
        let class = || self.classes.get(&gateway.class).and_then(|class| class.meta.labels.get(WAYPOINT_FOR));
        match gateway.meta.labels.get(WAYPOINT_FOR).or_else(class).unwrap_or("service") {
            "all" => true,
            "service" => traffic == Traffic::Service,
            "workload" => traffic == Traffic::Workload,
            _ => false,
        }
    }

    /// How connections are handed to the gateway's application: with a PROXY header or not, and on which port.
    pub(crate) fn inbound_binding(&self, gateway: &Gateway) -> Option<(bool, u16)> {
        let class =
            || self.classes.get(&gateway.class).and_then(|class| class.meta.annotations.get(INBOUND_BINDING));
        let text = gateway.meta.annotations.get(INBOUND_BINDING).or_else(class)?;
        let (protocol, port) = text.split_once('/').unwrap_or((text, "0"));
        let proxy = match protocol {
            "PROXY" => true,
            "NONE" => false,
            _ => return None,
        };
        Some((proxy, port.parse().ok()?))
    }
}

/// Whether nodes can send a waypoint's traffic to this listener.
pub(crate) fn is_hbone(listener: &Listener) -> bool {
    listener.port == HBONE_PORT && listener.protocol.eq_ignore_ascii_case("HBONE")
}

const HBONE_PORT: u16 = 15008;
const WAYPOINT_FOR: &str = "istio.io/waypoint-for";
const INBOUND_BINDING: &str = "ambient.istio.io/waypoint-inbound-binding";
pub(crate) const MANAGED: &str = "gateway.istio.io/managed";
/// Values of the label of what is itself a waypoint or a gateway between networks.
const EXEMPT: [&str; 4] = [
    "istio.io-mesh-controller",
    "istio.io-eastwest-controller",
    "weir.dev-mesh-controller",
    "weir.dev-eastwest-controller",
];
