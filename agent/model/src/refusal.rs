//! Why a connection goes nowhere.

use std::sync::Arc;

use crate::ServiceKey;

/// Why [`route`](crate::route) sends a connection nowhere. The text is for the log line of that connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The service does not have the port.
    #[error("service {service} has no port {port}")]
    NoSuchPort {
        /// The service whose address was dialled.
        service: ServiceKey,
        /// The port that was dialled.
        port: u16,
    },
    /// The service has the port, and no endpoint can take the connection.
    #[error(
        "no healthy upstream: service {service} port {port} has {endpoints} endpoints, none can be used from here"
    )]
    NoHealthyEndpoint {
        /// The service whose address was dialled.
        service: ServiceKey,
        /// The port that was dialled.
        port: u16,
        /// How many endpoints are known, usable or not.
        endpoints: usize,
    },
    /// All endpoints that could take the connection failed lately, and a DestinationRule leaves such out.
    #[error(
        "no healthy upstream: {endpoints} endpoints of service {service} port {port} failed again and again and are left out for a \
         while by {origin}, the others cannot be used from here"
    )]
    AllLeftOut {
        /// The service whose address was dialled.
        service: ServiceKey,
        /// The port that was dialled.
        port: u16,
        /// How many are left out.
        endpoints: usize,
        /// The rule.
        origin: Arc<str>,
    },
    /// The destination has an L7 waypoint that is not known here (yet). Going around it would skip its policy.
    #[error("{destination} has waypoint {waypoint}, which is not known: nothing goes around it")]
    NoSuchWaypoint {
        /// Service key or workload uid.
        destination: Arc<str>,
        /// Service key or address of the waypoint.
        waypoint: Arc<str>,
    },
    /// The destination has an L7 waypoint, and no pod of it can take the connection.
    #[error("waypoint of {destination}: {reason}")]
    WaypointUnreachable {
        /// Service key or workload uid.
        destination: Arc<str>,
        /// What is wrong with the waypoint's service.
        reason: Box<Refusal>,
    },
    /// The destination is in another network, which this version cannot reach.
    #[error("{destination} is in network '{network}'; other networks are not supported yet")]
    RemoteNetworkNotYet {
        /// Service key.
        destination: Arc<str>,
        /// Network of the endpoint.
        network: Arc<str>,
    },
    /// The endpoint is a DNS name, which this version cannot resolve.
    #[error("{destination} is served by the DNS name '{hostname}'; resolving endpoints is not supported yet")]
    HostnameNotYet {
        /// Service key.
        destination: Arc<str>,
        /// Name of the endpoint.
        hostname: Arc<str>,
    },
}
