//! `gateway.networking.k8s.io` GatewayClass and Gateway, as far as waypoints need them.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;

use crate::{Labels, Meta, Problem};

/// The class of our waypoints.
pub const WAYPOINT_CLASS: &str = "weir-waypoint";

/// A class of gateways.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayClass {
    /// Metadata.
    pub meta: Meta,
    /// `spec.controllerName`.
    pub controller: Arc<str>,
    /// `spec.parametersRef` is there.
    pub has_parameters: bool,
    /// Names in `status.supportedFeatures`, as they are.
    pub features: Vec<Arc<str>>,
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
    /// `status.addresses` that are addresses.
    pub addresses: Vec<GatewayAddressStatus>,
    /// `spec.addresses`: where somebody else has put it.
    pub wanted_addresses: Vec<WantedAddress>,
    /// `spec.infrastructure`.
    pub infrastructure: Infrastructure,
    /// What its controller has told it.
    pub told: GatewayTold,
    /// What of its listeners, addresses or infrastructure cannot be read, and is not here. Who tells it so depends on its
    /// class.
    pub problem: Option<Problem>,
}

/// One of `spec.addresses`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedAddress {
    /// `type`: IPAddress, Hostname, or somebody's own.
    pub kind: Arc<str>,
    /// `value`.
    pub value: Arc<str>,
}

/// How what runs a gateway is to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Infrastructure {
    /// `labels`, for everything that is made.
    pub labels: Labels,
    /// `annotations`, for everything that is made.
    pub annotations: Labels,
    /// `parametersRef`.
    pub parameters: Option<Parameters>,
}

/// An object beside the gateway that says more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// `group`; empty for the core group.
    pub group: Arc<str>,
    /// `kind`.
    pub kind: Arc<str>,
    /// `name`.
    pub name: Arc<str>,
}

/// Parts of a gateway's status, as they are: to write only what is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayTold {
    /// `status.addresses`.
    pub addresses: Vec<Value>,
    /// `status.listeners`.
    pub listeners: Vec<Value>,
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
    /// `hostname`; empty for any.
    pub hostname: Arc<str>,
    /// `allowedRoutes.namespaces`.
    pub allowed: AllowedNamespaces,
    /// `allowedRoutes.kinds`, as `group/kind`; empty: all that there are for the protocol.
    pub kinds: Vec<Arc<str>>,
}

/// Whose traffic a waypoint's listener takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AllowedNamespaces {
    /// That of the gateway's own namespace.
    #[default]
    Same,
    /// Everybody's.
    All,
    /// That of namespaces with such labels.
    Selector(Selector),
    /// A selector that is not understood: nobody's.
    None,
}

/// A selector of labels. Empty, it selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// `matchLabels`.
    pub labels: Labels,
    /// `matchExpressions`.
    pub expressions: Vec<Expression>,
}

/// One of `matchExpressions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// Name of the label.
    pub key: Arc<str>,
    /// What is asked of it.
    pub operator: Operator,
}

/// What an expression asks of a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// It is there, with one of these values.
    In(Vec<Arc<str>>),
    /// It is not there with one of these values.
    NotIn(Vec<Arc<str>>),
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

impl Selector {
    /// Whether it selects who has these labels; `label` gives the value of a name.
    pub fn selects<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        let is_so = |Expression { key, operator }: &Expression| match (operator, label(key)) {
            (Operator::In(values), Some(value)) => values.iter().any(|one| **one == *value),
            (Operator::NotIn(values), Some(value)) => values.iter().all(|one| **one != *value),
            (Operator::Exists, value) => value.is_some(),
            (Operator::DoesNotExist, value) => value.is_none(),
            (Operator::In(_), None) => false,
            (Operator::NotIn(_), None) => true,
        };
        self.labels.iter().all(|(name, value)| label(name) == Some(value))
            && self.expressions.iter().all(is_so)
    }
}

/// One of `status.addresses`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayAddressStatus {
    /// Type IPAddress.
    Ip(IpAddr),
    /// Type Hostname.
    Hostname(Arc<str>),
}
