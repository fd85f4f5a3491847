//! Where a waypoint or a network gateway is.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::ServiceKey;

/// How to reach a waypoint or a network gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayAddress {
    /// The gateway itself.
    pub destination: GatewayDestination,
    /// Its HBONE port, 15008 unless the control plane says otherwise.
    pub hbone_mtls_port: u16,
}

/// The two ways of naming a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum GatewayDestination {
    /// A service of the mesh.
    Hostname(ServiceKey),
    /// An address.
    Address {
        /// Network that the address belongs to.
        network: Arc<str>,
        /// The address.
        ip: IpAddr,
    },
}

impl fmt::Display for GatewayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.destination {
            GatewayDestination::Hostname(key) => key.fmt(f),
            GatewayDestination::Address { ip, .. } => ip.fmt(f),
        }
    }
}
