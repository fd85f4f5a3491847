//! Gateways and their classes as the Gateway API writes them.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::Value;

use super::read::read_at;
use super::scalar::{LabelMap, Port, Text};
use crate::{
    AllowedNamespaces, Expression, Gateway, GatewayAddressStatus, GatewayClass, Listener, Meta, Operator,
    Selector, intern,
};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ClassDocument {
    spec: ClassSpec,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClassSpec {
    controller_name: Text,
}

impl From<ClassDocument> for GatewayClass {
    fn from(document: ClassDocument) -> Self {
        Self { meta: Meta::default(), controller: document.spec.controller_name.0 }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    spec: Spec,
    /// A controller's, of whatever class: what it got wrong is no fault of the gateway.
    status: Value,
}

impl Document {
    pub(super) fn check(self) -> Gateway {
        let listeners = read_at::<Vec<ListenerSpec>>("spec.listeners", &self.spec.listeners);
        let (listeners, problem) = match listeners {
            _ if self.spec.listeners.is_null() => (Vec::new(), None),
            Ok(listeners) => (listeners, None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        let addresses = self.status.get("addresses").and_then(Value::as_array);
        Gateway {
            meta: Meta::default(),
            class: self.spec.gateway_class_name.0,
            listeners: listeners.into_iter().map(Listener::from).collect(),
            addresses: addresses.into_iter().flatten().filter_map(address).collect(),
            problem,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    gateway_class_name: Text,
    listeners: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListenerSpec {
    #[serde(default)]
    name: Text,
    port: Port,
    #[serde(default)]
    protocol: Text,
    #[serde(default)]
    allowed_routes: AllowedRoutes,
}

impl From<ListenerSpec> for Listener {
    fn from(spec: ListenerSpec) -> Self {
        let allowed = spec.allowed_routes.namespaces;
        Self {
            name: spec.name.0,
            port: spec.port.0,
            protocol: spec.protocol.0,
            allowed: match &*allowed.from.0 {
                "" | "Same" => AllowedNamespaces::Same,
                "All" => AllowedNamespaces::All,
                "Selector" => allowed.selector.map_or(AllowedNamespaces::None, AllowedNamespaces::from),
                _ => AllowedNamespaces::None,
            },
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AllowedRoutes {
    namespaces: Namespaces,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Namespaces {
    from: Text,
    selector: Option<SelectorSpec>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SelectorSpec {
    match_labels: LabelMap,
    match_expressions: Vec<ExpressionSpec>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ExpressionSpec {
    key: Text,
    operator: Text,
    values: Vec<Text>,
}

impl From<SelectorSpec> for AllowedNamespaces {
    /// An operator that is not known lets nobody in.
    fn from(spec: SelectorSpec) -> Self {
        let expressions = spec.match_expressions.into_iter().map(ExpressionSpec::read).collect::<Option<_>>();
        let selector = |expressions| Self::Selector(Selector { labels: spec.match_labels.0, expressions });
        expressions.map_or(Self::None, selector)
    }
}

impl ExpressionSpec {
    fn read(self) -> Option<Expression> {
        let values = self.values.into_iter().map(|text| text.0).collect();
        let operator = match &*self.operator.0 {
            "In" => Operator::In(values),
            "NotIn" => Operator::NotIn(values),
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            _ => return None,
        };
        Some(Expression { key: self.key.0, operator })
    }
}

/// `None` for a type that is somebody's own, and for what is no address.
fn address(address: &Value) -> Option<GatewayAddressStatus> {
    let value = address.get("value")?.as_str()?;
    match address.get("type").map_or(Some("IPAddress"), Value::as_str)? {
        "IPAddress" => value.parse::<IpAddr>().ok().map(|ip| GatewayAddressStatus::Ip(ip.to_canonical())),
        "Hostname" => Some(GatewayAddressStatus::Hostname(intern::text(value))),
        _ => None,
    }
}
