//! How a gateway stands to an object that asks for it.

use std::sync::Arc;

use weir_proto::workload as proto;
use weir_proto::workload::gateway_address::Destination;
use weir_resources::{AllowedNamespaces, Gateway, GatewayAddressStatus, Meta, Selector};

use super::{Ask, HBONE_PORT, Subject, is_hbone};
use crate::world::World;

/// How a gateway stands to an object that asks for it.
pub(super) enum Standing {
    Ready(proto::GatewayAddress),
    /// It is for other traffic.
    Unsuited,
    /// Traffic must not go on: where to send it, reason, and why.
    Refused(proto::GatewayAddress, &'static str, String),
}

impl World {
    pub(super) fn standing(&self, ask: &Ask, subject: &Subject<'_>) -> Standing {
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

    /// Whether a gateway that is there takes traffic of the object.
    pub(super) fn is_open_to(&self, ask: &Ask, subject: &Subject<'_>) -> bool {
        let stranger = subject.private && ask.namespace != subject.meta.namespace;
        let gateway = self.gateways.get(&ask.namespace, &ask.name);
        !stranger && gateway.is_some_and(|gateway| self.admits(gateway, &subject.meta.namespace))
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

    fn admits(&self, gateway: &Gateway, namespace: &Arc<str>) -> bool {
        if gateway.meta.namespace == *namespace {
            return true;
        }
        let port = self.inbound_binding(gateway).map_or(0, |(_, port)| port);
        let mut listeners = gateway.listeners.iter();
        let Some(listener) = listeners.find(|l| l.port == port || is_hbone(l)) else { return false };
        match &listener.allowed {
            AllowedNamespaces::All => true,
            AllowedNamespaces::Selector(wanted) => selects(wanted, namespace, self.namespaces.get(namespace)),
            AllowedNamespaces::Same | AllowedNamespaces::None => false,
        }
    }
}

/// Every namespace has its name as a label, whether a file says so or not.
fn selects(wanted: &Selector, namespace: &str, meta: Option<&Meta>) -> bool {
    wanted.selects(|label| match label {
        "kubernetes.io/metadata.name" => Some(namespace),
        label => meta.and_then(|meta| meta.labels.get(label)),
    })
}

fn by_hostname(namespace: &str, hostname: String) -> proto::GatewayAddress {
    let name = proto::NamespacedHostname { namespace: namespace.to_owned(), hostname };
    proto::GatewayAddress {
        destination: Some(Destination::Hostname(name)),
        hbone_mtls_port: HBONE_PORT.into(),
    }
}
