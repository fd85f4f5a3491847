//! Connections that are open now, for people who ask.

use std::net::SocketAddr;
use std::time::Duration;

use crate::access::{Direction, Record};

/// One of them. What is not known is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenConnection {
    /// Seen from the local workload.
    pub direction: Direction,
    /// Address of the client.
    pub source: SocketAddr,
    /// The application's address.
    pub destination: SocketAddr,
    /// The tunnel's, if there is one.
    pub tunnel: Option<SocketAddr>,
    /// Host name of the service that was dialled.
    pub service: Option<String>,
    /// Namespace and name of the local workload.
    pub workload: Option<(String, String)>,
    /// What the client proved.
    pub source_identity: Option<String>,
    /// What the server proved.
    pub destination_identity: Option<String>,
    /// For whom the client, a waypoint, asks.
    pub origin: Option<String>,
    /// Bytes that the local workload sent.
    pub bytes_sent: u64,
    /// Bytes that the local workload received.
    pub bytes_received: u64,
    /// Since it was accepted.
    pub age: Duration,
}

impl From<Record<'_>> for OpenConnection {
    fn from(record: Record<'_>) -> Self {
        let local = match record.direction {
            Direction::Inbound => record.dst,
            Direction::Outbound => record.src,
        };
        Self {
            direction: record.direction,
            source: record.src_addr,
            destination: record.hbone_addr.unwrap_or(record.dst_addr),
            tunnel: record.hbone_addr.map(|_| record.dst_addr),
            service: record.service.map(|service| service.key.hostname.to_string()),
            workload: local.map(|workload| (workload.namespace.to_string(), workload.name.to_string())),
            source_identity: record.src_identity.map(ToString::to_string),
            destination_identity: record.dst_identity.map(ToString::to_string),
            origin: record.origin.map(ToString::to_string),
            bytes_sent: record.bytes_sent,
            bytes_received: record.bytes_recv,
            age: record.duration,
        }
    }
}
