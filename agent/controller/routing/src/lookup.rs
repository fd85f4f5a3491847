//! What translation asks about the rest of the mesh.

use std::net::IpAddr;

use weir_proto::l7;

/// Answers about what is not in the resources themselves. All of it is a snapshot: the same question has the same answer
/// while something is translated.
pub trait Lookup {
    /// The service of a full host name as `from` sees it: if several namespaces have a ServiceEntry of this host, its own
    /// first, then the oldest that is exported to it.
    fn service(&self, hostname: &str, from: &str) -> Option<Service>;

    /// Whether a DestinationRule that holds for the service at this waypoint has the subset.
    fn has_subset(&self, service: &Service, subset: &str) -> bool;

    /// The hosts of a ServiceEntry; `None` if it is not there.
    fn service_entry(&self, namespace: &str, name: &str) -> Option<Vec<String>>;

    /// Whether a ReferenceGrant permits it.
    fn is_granted(&self, grant: &Grant<'_>) -> bool;

    /// What a Gateway is to routes; `None` if it is another controller's, or is not there.
    fn gateway(&self, namespace: &str, name: &str) -> Option<GatewayKind>;

    /// What is known of the TLS material of a name.
    fn credential(&self, namespace: &str, name: &str) -> Credential;
}

/// A service of Kubernetes, or a host of a ServiceEntry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Its namespace.
    pub namespace: String,
    /// In full.
    pub hostname: String,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// Virtual addresses by which clients dial it.
    pub addresses: Vec<IpAddr>,
    /// `trafficDistribution`, or its annotation.
    pub nearness: Nearness,
    /// Names that its servers' certificates have, if a rule says none (of a ServiceEntry).
    pub subject_alt_names: Vec<String>,
}

impl Service {
    pub(crate) fn port(&self, number: u16) -> Option<&ServicePort> {
        self.ports.iter().find(|port| port.number == number)
    }

    /// Its ports, for a sentence.
    pub(crate) fn port_list(&self) -> String {
        let ports: Vec<String> = self.ports.iter().map(|port| port.number.to_string()).collect();
        if ports.is_empty() { "none".to_owned() } else { ports.join(", ") }
    }
}

/// A port of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServicePort {
    /// 1 to 65535.
    pub number: u16,
    /// Empty if it has none.
    pub name: String,
    /// By its name or `appProtocol`.
    pub protocol: l7::Protocol,
}

impl ServicePort {
    /// Whether HTTP may be spoken there.
    pub(crate) fn is_http(&self) -> bool {
        use l7::Protocol::{Detect, Grpc, Http, Http2};
        matches!(self.protocol, Detect | Http | Http2 | Grpc)
    }
}

/// Which endpoints a service prefers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Nearness {
    /// None.
    #[default]
    Any,
    /// Those of the client's zone (`PreferClose`, `PreferSameZone`).
    Zone,
    /// Those of the client's node (`PreferSameNode`).
    Node,
}

/// A reference from a route to something of another namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant<'a> {
    /// HTTPRoute or GRPCRoute.
    pub from_kind: &'a str,
    /// The route's namespace.
    pub from_namespace: &'a str,
    /// Group of what it refers to; empty for Services.
    pub to_group: &'a str,
    /// Its kind.
    pub to_kind: &'a str,
    /// Its namespace.
    pub to_namespace: &'a str,
    /// Its name.
    pub to_name: &'a str,
}

/// A Gateway of Weir's classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayKind {
    /// It serves routes of services; none are attached to itself.
    Waypoint,
    /// For traffic from outside.
    Ingress,
}

/// TLS material of a user, as far as it matters here: nothing of it is read, only whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// It has not been read yet. It is named as if it were there; until it is, waypoints stay with what they have.
    Awaited,
    /// It can be used.
    There(Material),
    /// There is none: why, for people.
    Missing(String),
    /// There is one, which nobody can use: why, for people.
    Unusable(String),
}

/// What a credential has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Material {
    /// A certificate and its key.
    pub has_certificate: bool,
    /// Who may have signed servers' certificates.
    pub has_authorities: bool,
    /// Why its newest version is not the one in force.
    pub stale: Option<String>,
    /// What servers may hold against it: that its time is over.
    pub doubt: Option<String>,
}
