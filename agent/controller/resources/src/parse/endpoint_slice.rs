//! An endpoint slice as Kubernetes writes it.

use std::sync::Arc;

use serde::Deserialize;

use super::read::quote;
use super::scalar::{Port, Text};
use crate::{Endpoint, EndpointSlice, Meta, Problem, SlicePort};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Document {
    address_type: Text,
    endpoints: Vec<EndpointSpec>,
    ports: Vec<PortSpec>,
}

impl Document {
    pub(super) fn check(self, namespace: &Arc<str>) -> Result<EndpointSlice, Problem> {
        let endpoints = match &*self.address_type.0 {
            "IPv4" | "IPv6" => self.endpoints,
            "FQDN" => Vec::new(),
            other => {
                let message = format!("{} is none; expected IPv4, IPv6 or FQDN", quote(other));
                return Err(Problem::new("addressType", message));
            }
        };
        let endpoint = |(place, endpoint): (usize, EndpointSpec)| endpoint.check(place, namespace);
        let tcp = self.ports.into_iter().filter(|port| port.protocol.as_ref().is_none_or(|p| &*p.0 == "TCP"));
        Ok(EndpointSlice {
            meta: Meta::default(),
            endpoints: endpoints.into_iter().enumerate().map(endpoint).collect::<Result<_, _>>()?,
            ports: tcp.filter_map(|port| Some(SlicePort { name: port.name.0, port: port.port?.0 })).collect(),
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EndpointSpec {
    addresses: Vec<String>,
    conditions: Conditions,
    target_ref: Option<Reference>,
    node_name: Text,
    zone: Text,
}

impl EndpointSpec {
    fn check(self, place: usize, namespace: &Arc<str>) -> Result<Endpoint, Problem> {
        let address = |(n, text): (usize, String)| {
            let ip = text.parse::<std::net::IpAddr>().map(|ip| ip.to_canonical());
            let field = || format!("endpoints[{place}].addresses[{n}]");
            ip.map_err(|_| Problem::new(field(), format!("{} is not an IP address", quote(&text))))
        };
        let pod = self.target_ref.filter(|target| &*target.kind.0 == "Pod" && !target.name.0.is_empty());
        Ok(Endpoint {
            addresses: self.addresses.into_iter().enumerate().map(address).collect::<Result<_, _>>()?,
            ready: self.conditions.ready.unwrap_or(true),
            pod: pod.map(|target| match target.namespace.0.is_empty() {
                true => (Arc::clone(namespace), target.name.0),
                false => (target.namespace.0, target.name.0),
            }),
            node: self.node_name.0,
            zone: self.zone.0,
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Conditions {
    ready: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reference {
    kind: Text,
    namespace: Text,
    name: Text,
}

/// Without a number it is all ports, which nothing in the mesh can be told.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PortSpec {
    name: Text,
    port: Option<Port>,
    protocol: Option<Text>,
}
