//! What is asked of one connection.

use serde::Serialize;

use super::{Accounts, Ports, Ranges, Texts};
use crate::Connection;

/// What is asked of one connection, kind by kind; an empty set asks nothing.
///
/// One that asks nothing at all never matches: on the wire it is what is left of a match whose fields were not
/// understood.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// Namespace of the peer's identity; the empty text if it has none.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub namespaces: Texts,
    /// Not these namespaces.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub not_namespaces: Texts,
    /// The peer's identity without `spiffe://`. A peer without identity is none of them.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub principals: Texts,
    /// Not these identities.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub not_principals: Texts,
    /// Address of the TCP peer.
    #[serde(skip_serializing_if = "Ranges::is_empty")]
    pub source_ips: Ranges,
    /// Not these addresses.
    #[serde(skip_serializing_if = "Ranges::is_empty")]
    pub not_source_ips: Ranges,
    /// Address that the connection goes to.
    #[serde(skip_serializing_if = "Ranges::is_empty")]
    pub destination_ips: Ranges,
    /// Not these addresses.
    #[serde(skip_serializing_if = "Ranges::is_empty")]
    pub not_destination_ips: Ranges,
    /// Port on the workload.
    #[serde(skip_serializing_if = "Ports::is_empty")]
    pub destination_ports: Ports,
    /// Not these ports.
    #[serde(skip_serializing_if = "Ports::is_empty")]
    pub not_destination_ports: Ports,
    /// Namespace and service account of the peer's identity, in any trust domain.
    #[serde(skip_serializing_if = "Accounts::is_empty")]
    pub service_accounts: Accounts,
    /// Not these accounts.
    #[serde(skip_serializing_if = "Accounts::is_empty")]
    pub not_service_accounts: Accounts,
}

impl Match {
    /// Whether nothing is asked: then it never matches.
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
            && self.not_namespaces.is_empty()
            && self.principals.is_empty()
            && self.not_principals.is_empty()
            && self.source_ips.is_empty()
            && self.not_source_ips.is_empty()
            && self.destination_ips.is_empty()
            && self.not_destination_ips.is_empty()
            && self.destination_ports.is_empty()
            && self.not_destination_ports.is_empty()
            && self.service_accounts.is_empty()
            && self.not_service_accounts.is_empty()
    }

    /// The cheap kinds first.
    pub(super) fn matches(&self, c: &Connection<'_>) -> bool {
        let (ip, port) = (c.destination.ip(), c.destination.port());
        !self.is_empty()
            && asks(self.destination_ports.is_empty(), || self.destination_ports.contains(port))
            && !self.not_destination_ports.contains(port)
            && asks(self.source_ips.is_empty(), || self.source_ips.contains(c.source_ip))
            && !self.not_source_ips.contains(c.source_ip)
            && asks(self.destination_ips.is_empty(), || self.destination_ips.contains(ip))
            && !self.not_destination_ips.contains(ip)
            && self.matches_peer(c)
    }

    fn matches_peer(&self, c: &Connection<'_>) -> bool {
        let namespace = [c.peer.map_or("", |peer| peer.namespace())];
        let is_principal = |set: &Texts| {
            c.peer.is_some_and(|peer| {
                set.contains(&[peer.trust_domain(), "/ns/", peer.namespace(), "/sa/", peer.service_account()])
            })
        };
        let is_account = |set: &Accounts| {
            c.peer.is_some_and(|peer| set.contains(peer.namespace(), peer.service_account()))
        };
        asks(self.namespaces.is_empty(), || self.namespaces.contains(&namespace))
            && !self.not_namespaces.contains(&namespace)
            && asks(self.service_accounts.is_empty(), || is_account(&self.service_accounts))
            && !is_account(&self.not_service_accounts)
            && asks(self.principals.is_empty(), || is_principal(&self.principals))
            && !is_principal(&self.not_principals)
    }
}

/// A kind that is not asked for is met.
fn asks(nothing: bool, met: impl FnOnce() -> bool) -> bool {
    nothing || met()
}
