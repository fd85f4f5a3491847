//! The routes of table T: everything that carries the mark is local.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType,
};

use super::{Family, Netlink};
use crate::layout::{PROTOCOL, TABLE};

/// One default route of table T.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LocalRoute {
    /// The table set that it is in.
    pub(crate) family: Family,
    /// What it does.
    pub(crate) kind: RouteKind,
    /// Its metric; unique per family in table T, so it names the route.
    pub(crate) metric: u32,
}

/// What a route of table T does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RouteKind {
    /// `local default dev <interface> src <source>`.
    Local {
        /// Index of the device.
        interface: u32,
        /// The address that an unbound socket gets.
        source: IpAddr,
    },
    /// `unreachable default`: the pod has no address of this family. A marked connect then fails as clients expect it (EHOSTUNREACH), not
    /// with the guard rule's EINVAL.
    Unreachable,
}

impl LocalRoute {
    /// As `ip route` would print it, for logs.
    pub(crate) fn describe(&self) -> String {
        let family = if self.family == Family::V4 { "-4" } else { "-6" };
        match self.kind {
            RouteKind::Local { interface, source } => {
                format!(
                    "ip {family} route local default dev #{interface} src {source} metric {} table {TABLE}",
                    self.metric
                )
            }
            RouteKind::Unreachable => {
                format!("ip {family} route unreachable default metric {} table {TABLE}", self.metric)
            }
        }
    }

    fn message(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header.address_family = self.family.netlink();
        message.header.protocol = RouteProtocol::Other(PROTOCOL);
        message.attributes = vec![RouteAttribute::Table(TABLE), RouteAttribute::Priority(self.metric)];
        match self.kind {
            RouteKind::Local { interface, source } => {
                message.header.kind = RouteType::Local;
                if self.family == Family::V4 {
                    message.header.scope = RouteScope::Host;
                }
                message.attributes.push(RouteAttribute::Oif(interface));
                message.attributes.push(RouteAttribute::PrefSource(RouteAddress::from(source)));
            }
            RouteKind::Unreachable => message.header.kind = RouteType::Unreachable,
        }
        message
    }
}

/// A route found in table T. `route` is `None` if it is not of a shape that Weir makes.
#[derive(Debug)]
pub(crate) struct FoundRoute {
    /// The shape, if it is one of ours.
    pub(crate) route: Option<LocalRoute>,
    message: RouteMessage,
}

impl FoundRoute {
    fn from_message(message: &RouteMessage) -> Option<Self> {
        message
            .attributes
            .contains(&RouteAttribute::Table(TABLE))
            .then(|| Self { route: recognise(message), message: message.clone() })
    }
}

fn recognise(message: &RouteMessage) -> Option<LocalRoute> {
    let family = Family::from_netlink(message.header.address_family)?;
    let (mut metric, mut interface, mut source) = (0, None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Priority(value) => metric = *value,
            RouteAttribute::Oif(index) => interface = Some(*index),
            RouteAttribute::PrefSource(RouteAddress::Inet(ip)) => source = Some(IpAddr::V4(*ip)),
            RouteAttribute::PrefSource(RouteAddress::Inet6(ip)) => source = Some(IpAddr::V6(*ip)),
            _ => {}
        }
    }
    let kind = match message.header.kind {
        RouteType::Local => RouteKind::Local { interface: interface?, source: source? },
        RouteType::Unreachable => RouteKind::Unreachable,
        _ => return None,
    };
    (message.header.destination_prefix_length == 0).then_some(LocalRoute { family, kind, metric })
}

impl Netlink {
    /// All routes of table T of one family, foreign ones included.
    pub(crate) fn routes(&mut self, family: Family) -> io::Result<Vec<FoundRoute>> {
        let mut question = RouteMessage::default();
        question.header.address_family = family.netlink();
        let answers = match self.dump(RouteNetlinkMessage::GetRoute(question)) {
            // A table that was never used does not exist.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(Vec::new()),
            other => other?,
        };
        Ok(answers
            .iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewRoute(route) => FoundRoute::from_message(route),
                _ => None,
            })
            .collect())
    }

    /// Adds a route or replaces the one with the same metric. EINVAL means that the source is not (yet) a local address.
    pub(crate) fn replace_route(&mut self, route: &LocalRoute) -> io::Result<()> {
        self.change(RouteNetlinkMessage::NewRoute(route.message()), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Removes a route that [`Netlink::routes`] found; one that is gone by now is fine.
    pub(crate) fn remove_route(&mut self, found: &FoundRoute) -> io::Result<()> {
        match self.change(RouteNetlinkMessage::DelRoute(found.message.clone()), 0) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT)) => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_recognised() {
        for route in [
            LocalRoute {
                family: Family::V4,
                kind: RouteKind::Local { interface: 1, source: "10.0.0.1".parse().unwrap() },
                metric: 100,
            },
            LocalRoute {
                family: Family::V6,
                kind: RouteKind::Local { interface: 4, source: "fd00::1".parse().unwrap() },
                metric: 203,
            },
            LocalRoute { family: Family::V6, kind: RouteKind::Unreachable, metric: 4096 },
        ] {
            let message = route.message();
            assert_eq!(FoundRoute::from_message(&message).unwrap().route, Some(route));
        }
    }

    #[test]
    fn other_tables_are_not_ours() {
        let mut message = RouteMessage::default();
        message.attributes.push(RouteAttribute::Table(254));
        assert!(FoundRoute::from_message(&message).is_none());
    }
}
