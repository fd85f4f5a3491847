//! Gateways and their classes as the Gateway API writes them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::read::read_at;
use super::scalar::{LabelMap, Port, Text};
use crate::{
    AllowedNamespaces, Expression, Gateway, GatewayAddressStatus, GatewayClass, GatewayTold, Infrastructure,
    Listener, Meta, Operator, Parameters, Problem, Selector, WantedAddress, intern,
};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ClassDocument {
    spec: ClassSpec,
    /// A controller's.
    status: Value,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClassSpec {
    controller_name: Text,
    parameters_ref: Value,
}

impl From<ClassDocument> for GatewayClass {
    fn from(document: ClassDocument) -> Self {
        let features = document.status.get("supportedFeatures").and_then(Value::as_array);
        // They were plain texts once.
        let name = |feature: &Value| feature.get("name").unwrap_or(feature).as_str().map(intern::text);
        Self {
            meta: Meta::default(),
            controller: document.spec.controller_name.0,
            has_parameters: !document.spec.parameters_ref.is_null(),
            features: features.into_iter().flatten().filter_map(name).collect(),
        }
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
        let mut problem = None;
        let listeners: Vec<ListenerSpec> = part("spec.listeners", &self.spec.listeners, &mut problem);
        let wanted: Vec<AddressSpec> = part("spec.addresses", &self.spec.addresses, &mut problem);
        let infrastructure: InfrastructureSpec =
            part("spec.infrastructure", &self.spec.infrastructure, &mut problem);
        let list = |name: &str| self.status.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let told = GatewayTold { addresses: list("addresses"), listeners: list("listeners") };
        Gateway {
            meta: Meta::default(),
            class: self.spec.gateway_class_name.0,
            listeners: listeners.into_iter().map(Listener::from).collect(),
            addresses: told.addresses.iter().filter_map(address).collect(),
            wanted_addresses: wanted.into_iter().map(WantedAddress::from).collect(),
            infrastructure: infrastructure.into(),
            told,
            problem,
        }
    }
}

/// A part of a spec; none of it if it cannot be read. The first problem counts.
fn part<'v, T: Default + Deserialize<'v>>(path: &str, value: &'v Value, problem: &mut Option<Problem>) -> T {
    if value.is_null() {
        return T::default();
    }
    read_at(path, value).unwrap_or_else(|wrong| {
        problem.get_or_insert(wrong);
        T::default()
    })
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    gateway_class_name: Text,
    listeners: Value,
    addresses: Value,
    infrastructure: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AddressSpec {
    #[serde(rename = "type")]
    kind: Text,
    value: Text,
}

impl From<AddressSpec> for WantedAddress {
    fn from(spec: AddressSpec) -> Self {
        let kind = if spec.kind.0.is_empty() { "IPAddress".into() } else { spec.kind.0 };
        Self { kind, value: spec.value.0 }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct InfrastructureSpec {
    labels: LabelMap,
    annotations: BTreeMap<String, String>,
    parameters_ref: Option<ParametersSpec>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ParametersSpec {
    group: Text,
    kind: Text,
    name: Text,
}

impl From<InfrastructureSpec> for Infrastructure {
    fn from(spec: InfrastructureSpec) -> Self {
        let parameters = spec.parameters_ref.map(
            |ParametersSpec { group: Text(group), kind: Text(kind), name: Text(name) }| Parameters {
                group,
                kind,
                name,
            },
        );
        Self { labels: spec.labels.0, annotations: spec.annotations.into_iter().collect(), parameters }
    }
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
    hostname: Text,
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
            hostname: spec.hostname.0,
            kinds: spec.allowed_routes.kinds.iter().map(KindSpec::name).collect(),
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
    kinds: Vec<KindSpec>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KindSpec {
    group: Option<Text>,
    kind: Text,
}

impl KindSpec {
    fn name(&self) -> Arc<str> {
        let group = self.group.as_ref().map_or("gateway.networking.k8s.io", |group| &*group.0);
        intern::text(&format!("{group}/{}", self.kind.0))
    }
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
