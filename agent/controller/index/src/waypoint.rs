//! Which waypoint an object's traffic goes through, and what the object is told about it.
//!
//! Fails closed: who asks for a waypoint that is not there gets its address all the same, so that node proxies refuse
//! the traffic instead of sending it past the policy that the waypoint would enforce.

use std::sync::Arc;

use weir_proto::workload as proto;
use weir_proto::workload::gateway_address::Destination;
use weir_resources::{AllowedNamespaces, Gateway, GatewayAddressStatus, Labels, Meta};

use crate::world::World;

mod canary;
mod labels;

use labels::{Ask, asked};
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

/// How a gateway stands to an object that asks for it.
enum Standing {
    Ready(proto::GatewayAddress),
    /// It is for other traffic.
    Unsuited,
    /// Traffic must not go on: where to send it, reason, and why.
    Refused(proto::GatewayAddress, &'static str, String),
}

impl World {
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

    fn standing(&self, ask: &Ask, subject: &Subject<'_>) -> Standing {
        let refused = |host: String, reason, why: &str| {
            Standing::Refused(by_hostname(&ask.namespace, host), reason, why.to_owned())
        };
        let host = format!("{}.{}.svc.{}", ask.name, ask.namespace, self.config.cluster_domain);
        let Some(gateway) = self.gateways.get(&ask.namespace, &ask.name) else {
            return refused(host, "WaypointIsNotReady", "does not exist");
        };
        if !self.serves(gateway, subject.traffic) {
            return Standing::Unsuited;
        }
        // Names that no service has: the node refuses, and its log says why.
        if subject.private && ask.namespace != subject.meta.namespace {
            let why = "is in another namespace, which cannot see this object (spec.exportTo)";
            let host = format!("cross-namespace-waypoint-forbidden.{host}");
            return refused(host, "CrossNamespaceWaypointForbidden", why);
        }
        if !self.admits(gateway, &subject.meta.namespace) {
            let why = "does not take traffic of this namespace: see allowedRoutes of its listener";
            return refused(format!("attachment-denied.{host}"), "AttachmentDenied", why);
        }
        match self.address(gateway) {
            Some(address) => Standing::Ready(address),
            None => refused(host, "WaypointIsNotReady", "is not ready: its status has no addresses"),
        }
    }

    /// The gateway's address; `None` until its status has one.
    fn address(&self, gateway: &Gateway) -> Option<proto::GatewayAddress> {
        let hostname = gateway.addresses.iter().find_map(|address| match address {
            GatewayAddressStatus::Hostname(name) => Some(name),
            GatewayAddressStatus::Ip(_) => None,
        });
        if let Some(hostname) = hostname {
            return Some(by_hostname(&gateway.meta.namespace, hostname.to_string()));
        }
        let ip = gateway.addresses.iter().find_map(|address| match address {
            GatewayAddressStatus::Ip(ip) => Some(*ip),
            GatewayAddressStatus::Hostname(_) => None,
        })?;
        let network = self.network().to_owned();
        let address = proto::NetworkAddress { network, address: crate::publish::bytes(ip), length: None };
        Some(proto::GatewayAddress {
            destination: Some(Destination::Address(address)),
            hbone_mtls_port: HBONE_PORT.into(),
        })
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

    fn admits(&self, gateway: &Gateway, namespace: &Arc<str>) -> bool {
        if gateway.meta.namespace == *namespace {
            return true;
        }
        let port = self.inbound_binding(gateway).map_or(0, |(_, port)| port);
        let hbone = |l: &&weir_resources::Listener| {
            l.port == port || l.port == HBONE_PORT && l.protocol.eq_ignore_ascii_case("HBONE")
        };
        let Some(listener) = gateway.listeners.iter().find(hbone) else { return false };
        match &listener.allowed {
            AllowedNamespaces::All => true,
            AllowedNamespaces::Selector(wanted) => selects(wanted, namespace, self.namespaces.get(namespace)),
            AllowedNamespaces::Same | AllowedNamespaces::None => false,
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

/// Every namespace has its name as a label, whether a file says so or not.
fn selects(wanted: &Labels, namespace: &str, meta: Option<&Meta>) -> bool {
    wanted.iter().all(|(label, value)| match label {
        "kubernetes.io/metadata.name" => value == namespace,
        label => meta.and_then(|meta| meta.labels.get(label)) == Some(value),
    })
}

fn by_hostname(namespace: &str, hostname: String) -> proto::GatewayAddress {
    let name = proto::NamespacedHostname { namespace: namespace.to_owned(), hostname };
    proto::GatewayAddress {
        destination: Some(Destination::Hostname(name)),
        hbone_mtls_port: HBONE_PORT.into(),
    }
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
