//! Gateways and their classes as the Gateway API writes them.

use std::net::IpAddr;

use serde::Deserialize;

use super::read::quote;
use super::scalar::{LabelMap, Port, Text};
use crate::{AllowedNamespaces, Gateway, GatewayAddressStatus, GatewayClass, Listener, Meta, Problem};

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
    status: Status,
}

impl Document {
    pub(super) fn check(self) -> Result<Gateway, Problem> {
        let addresses = self.status.addresses.into_iter().enumerate();
        let addresses = addresses.filter_map(|(place, address)| address.check(place).transpose());
        Ok(Gateway {
            meta: Meta::default(),
            class: self.spec.gateway_class_name.0,
            listeners: self.spec.listeners.into_iter().map(Listener::from).collect(),
            addresses: addresses.collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    gateway_class_name: Text,
    listeners: Vec<ListenerSpec>,
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
    selector: Option<Selector>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Selector {
    match_labels: LabelMap,
    match_expressions: Vec<Expression>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Expression {
    key: Text,
    operator: Text,
    values: Vec<Text>,
}

impl From<Selector> for AllowedNamespaces {
    /// `key In [value]` is another way to write a label; other expressions let nobody in.
    fn from(selector: Selector) -> Self {
        let mut labels: Vec<_> =
            selector.match_labels.0.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        for Expression { key, operator, values } in selector.match_expressions {
            let ("In", [value]) = (&*operator.0, &*values) else { return Self::None };
            if labels.iter().any(|(name, other)| **name == *key.0 && **other != *value.0) {
                return Self::None;
            }
            labels.push((key.0.as_ref().to_owned(), value.0.as_ref().to_owned()));
        }
        Self::Selector(labels.into_iter().collect())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    addresses: Vec<Address>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Address {
    #[serde(rename = "type")]
    kind: Option<Text>,
    value: Text,
}

impl Address {
    /// `None` for a type that is somebody's own.
    fn check(self, place: usize) -> Result<Option<GatewayAddressStatus>, Problem> {
        let value = self.value.0;
        match self.kind.as_ref().map_or("IPAddress", |kind| &*kind.0) {
            "IPAddress" => match value.parse::<IpAddr>() {
                Ok(ip) => Ok(Some(GatewayAddressStatus::Ip(ip.to_canonical()))),
                Err(_) => {
                    let field = format!("status.addresses[{place}].value");
                    Err(Problem::new(field, format!("{} is not an IP address", quote(&value))))
                }
            },
            "Hostname" => Ok(Some(GatewayAddressStatus::Hostname(value))),
            _ => Ok(None),
        }
    }
}
