//! `gateway.networking.k8s.io` GatewayClass and Gateway, as far as waypoints need them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::{Labels, Meta, Problem};

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
    /// `status.addresses` that are addresses.
    pub addresses: Vec<GatewayAddressStatus>,
    /// Why its listeners cannot be read, and are not here. Who tells it so depends on its class.
    pub problem: Option<Problem>,
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
