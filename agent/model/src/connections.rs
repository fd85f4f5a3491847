//! What a DestinationRule says of connections to a port of a service: limits, time-outs, and when an endpoint is left out.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

/// What holds for some clients of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audience {
    /// The clients' namespaces; empty: all.
    pub namespaces: Vec<Arc<str>>,
    /// By service port; a port about which nothing is said is not there.
    pub ports: Vec<(u16, Arc<ConnectionPolicy>)>,
}

/// What holds for connections to a port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionPolicy {
    /// The resource that says so, as `DestinationRule/namespace/name`. What is counted is counted for it.
    pub origin: Arc<str>,
    /// At a time, from all clients of a node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<u32>,
    /// Until the endpoint's application has taken the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Duration>,
    /// Of sockets towards endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keepalive: Option<Keepalive>,
    /// When an endpoint is left out; `None`: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlier: Option<OutlierPolicy>,
}

/// TCP keepalive; what is `None` is the system's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Keepalive {
    /// Probes without an answer before the connection is dead.
    pub probes: Option<u32>,
    /// Of silence before the first.
    pub time: Option<Duration>,
    /// Between them.
    pub interval: Option<Duration>,
}

/// When an endpoint is left out of the choice, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutlierPolicy {
    /// Connections in a row that could not be made. Not 0.
    pub consecutive_failures: u32,
    /// Between looks at who may come back.
    pub interval: Duration,
    /// Times the number of ejections so far.
    pub base_ejection_time: Duration,
    /// Of the endpoints; one may always be ejected.
    pub max_ejection_percent: u32,
    /// With fewer healthy endpoints than this, health is not looked at.
    pub min_health_percent: u32,
}

impl Audience {
    fn has(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|one| **one == *namespace)
    }
}

/// What holds for a client's connection: of the first audience that the client's namespace is in.
pub(crate) fn policy_of<'a>(
    audiences: &'a [Audience],
    port: u16,
    namespace: &str,
) -> Option<&'a Arc<ConnectionPolicy>> {
    let audience = audiences.iter().find(|audience| audience.has(namespace))?;
    audience.ports.iter().find(|(of, _)| *of == port).map(|(_, policy)| policy)
}

impl OutlierPolicy {
    /// Whether one more of `all` endpoints may be ejected: the first always, others up to the percentage.
    pub(crate) fn may_eject(&self, ejected: usize, all: usize) -> bool {
        ejected == 0 || (ejected as u64 + 1) * 100 <= u64::from(self.max_ejection_percent) * all as u64
    }

    /// Whether so few are healthy that health means nothing: it is rather wrong than everybody ill.
    pub(crate) fn is_panic(&self, healthy: usize, all: usize) -> bool {
        (healthy as u64) * 100 < u64::from(self.min_health_percent) * all as u64
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::own_first("web", 80, "web's")]
    #[case::one_of_several("batch", 80, "web's")]
    #[case::everybody_else("shop", 80, "all's")]
    #[case::nothing_of_this_port("shop", 81, "")]
    #[case::an_audience_without_ports_is_left_alone("silent", 80, "")]
    fn the_first_audience_decides(#[case] namespace: &str, #[case] port: u16, #[case] expected: &str) {
        let policy =
            |origin: &str| Arc::new(ConnectionPolicy { origin: origin.into(), ..Default::default() });
        let audience = |namespaces: &[&str], ports: &[(u16, &str)]| Audience {
            namespaces: namespaces.iter().map(|name| (*name).into()).collect(),
            ports: ports.iter().map(|(port, origin)| (*port, policy(origin))).collect(),
        };
        let audiences = [
            audience(&["web", "batch"], &[(80, "web's")]),
            audience(&["silent"], &[]),
            audience(&[], &[(80, "all's"), (90, "all's")]),
        ];
        let found = policy_of(&audiences, port, namespace).map_or("", |policy| &policy.origin);
        assert_eq!(found, expected);
    }

    #[rstest]
    #[case::the_first(0, 0, 1, true)]
    #[case::no_second(0, 1, 100, false)]
    #[case::tenth(10, 0, 10, true)]
    #[case::no_more_than_a_tenth(10, 1, 10, false)]
    #[case::up_to_half(50, 1, 4, true)]
    #[case::half_of_three_is_one(50, 1, 3, false)]
    #[case::all(100, 3, 4, true)]
    fn percentage(#[case] max: u32, #[case] ejected: usize, #[case] all: usize, #[case] expected: bool) {
        assert_eq!(policy(max, 0).may_eject(ejected, all), expected);
    }

    #[rstest]
    #[case::never(0, 0, 4, false)]
    #[case::half_is_enough(50, 2, 4, false)]
    #[case::less_than_half(50, 1, 4, true)]
    #[case::nobody(1, 0, 4, true)]
    fn panic(#[case] min: u32, #[case] healthy: usize, #[case] all: usize, #[case] expected: bool) {
        assert_eq!(policy(0, min).is_panic(healthy, all), expected);
    }

    fn policy(max_ejection_percent: u32, min_health_percent: u32) -> OutlierPolicy {
        let second = Duration::from_secs(1);
        OutlierPolicy {
            consecutive_failures: 1,
            interval: second,
            base_ejection_time: second,
            max_ejection_percent,
            min_health_percent,
        }
    }
}
