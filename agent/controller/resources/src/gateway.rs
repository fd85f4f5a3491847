//! `gateway.networking.k8s.io` GatewayClass and Gateway, as far as waypoints need them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::{Labels, Meta};

/// A class of gateways.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayClass {
    /// Metadata.
    pub meta: Meta,
    /// `spec.controllerName`.
    pub controller: Arc<str>,
}

/// A gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gateway {
    /// Metadata.
    pub meta: Meta,
    /// `spec.gatewayClassName`.
    pub class: Arc<str>,
    /// `spec.listeners`.
    pub listeners: Vec<Listener>,
    /// `status.addresses`.
    pub addresses: Vec<GatewayAddressStatus>,
}

/// A listener of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// `name`.
    pub name: Arc<str>,
    /// `port`.
    pub port: u16,
    /// `protocol`, for example HBONE.
    pub protocol: Arc<str>,
    /// `allowedRoutes.namespaces`.
    pub allowed: AllowedNamespaces,
}

/// Whose traffic a waypoint's listener takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AllowedNamespaces {
    /// That of the gateway's own namespace.
    #[default]
    Same,
    /// Everybody's.
    All,
    /// That of namespaces with these labels (`matchLabels`).
    Selector(Labels),
    /// A selector that is not understood: nobody's.
    None,
}

/// One of `status.addresses`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayAddressStatus {
    /// Type IPAddress.
    Ip(IpAddr),
    /// Type Hostname.
    Hostname(Arc<str>),
}
