//! A service as Kubernetes writes it.

use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::read::quote;
use super::scalar::{ClusterIp, Ip, LabelMap, Port, Text};
use crate::{Meta, Problem, Service, ServicePort, TargetPort, intern};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    spec: Spec,
    status: Status,
}

impl Document {
    pub(super) fn check(self) -> Result<Service, Problem> {
        let Self { spec, status } = self;
        let external_name = &*spec.kind.0 == "ExternalName";
        let mut cluster_ips: Vec<IpAddr> = spec.cluster_ips.iter().filter_map(|ip| ip.ip).collect();
        if cluster_ips.is_empty() && spec.cluster_ips.is_empty() {
            cluster_ips.extend(spec.cluster_ip.ip);
        }
        if external_name {
            cluster_ips.clear();
        }
        // Nobody is in front of the pods of a headless service, whatever addresses it names.
        let headless = [&spec.cluster_ip].into_iter().chain(&spec.cluster_ips).any(|ip| ip.says_none);
        let ingress = status.load_balancer.ingress.iter().filter_map(Ingress::vip);
        let external = spec.external_ips.iter().map(|ip| ip.0).chain(ingress);
        Ok(Service {
            meta: Meta::default(),
            external_name,
            cluster_ips,
            external_ips: external.filter(|_| !headless).collect(),
            ports: ports(spec.ports)?,
            selector: spec.selector.0,
            publish_not_ready: spec.publish_not_ready_addresses,
            internal_local: &*spec.internal_traffic_policy.0 == "Local",
            traffic_distribution: spec.traffic_distribution.0,
            ip_families: spec.ip_families.into_iter().map(|family| family.0).collect(),
        })
    }
}

fn ports(ports: Vec<PortSpec>) -> Result<Vec<ServicePort>, Problem> {
    let mut kept: Vec<ServicePort> = Vec::new();
    for (place, port) in ports.into_iter().enumerate() {
        if port.protocol.is_some_and(|protocol| &*protocol.0 != "TCP") {
            continue;
        }
        let target = port.target_port.unwrap_or(Target(None)).0.unwrap_or(TargetPort::Number(port.port.0));
        let port =
            ServicePort { name: port.name.0, port: port.port.0, target, app_protocol: port.app_protocol.0 };
        if let Some(problem) = kept.iter().find_map(|other| clash(other, &port, place)) {
            return Err(problem);
        }
        kept.push(port);
    }
    Ok(kept)
}

/// Endpoints know their ports by name, and clients by number: neither may mean two.
fn clash(other: &ServicePort, port: &ServicePort, place: usize) -> Option<Problem> {
    if other.port == port.port {
        return Some(Problem::new(
            format!("spec.ports[{place}].port"),
            format!("{} is there twice", port.port),
        ));
    }
    let name = quote(&port.name);
    (other.name == port.name)
        .then(|| Problem::new(format!("spec.ports[{place}].name"), format!("{name} is there twice")))
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(rename = "type")]
    kind: Text,
    #[serde(rename = "clusterIP")]
    cluster_ip: ClusterIp,
    #[serde(rename = "clusterIPs")]
    cluster_ips: Vec<ClusterIp>,
    selector: LabelMap,
    ports: Vec<PortSpec>,
    publish_not_ready_addresses: bool,
    internal_traffic_policy: Text,
    traffic_distribution: Text,
    ip_families: Vec<Text>,
    #[serde(rename = "externalIPs")]
    external_ips: Vec<Ip>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PortSpec {
    #[serde(default)]
    name: Text,
    port: Port,
    target_port: Option<Target>,
    protocol: Option<Text>,
    #[serde(default)]
    app_protocol: Text,
}

/// A number, a name, or nothing: what Kubernetes' own libraries write for it is 0 or an empty name.
struct Target(Option<TargetPort>);

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Target;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the number of a port, or the name of a container's port")
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Target, E> {
                let port = u16::try_from(number);
                let port =
                    port.map_err(|_| E::custom(format_args!("{number} is not a port; expected 1 to 65535")))?;
                Ok(Target(Some(port).filter(|port| *port != 0).map(TargetPort::Number)))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Target, E> {
                Err(E::custom(format_args!("{number} is not a port; expected 1 to 65535")))
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Target, E> {
                match name {
                    "" => Ok(Target(None)),
                    name if name.bytes().all(|b| b.is_ascii_digit()) => Err(E::custom(format_args!(
                        "{} is a number in quotes, and a name has letters",
                        quote(name)
                    ))),
                    name => Ok(Target(Some(TargetPort::Name(intern::text(name))))),
                }
            }
        }
        from.deserialize_any(Either)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    load_balancer: LoadBalancer,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LoadBalancer {
    ingress: Vec<Ingress>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Ingress {
    ip: Text,
    ip_mode: Text,
}

impl Ingress {
    /// A controller writes it, and what it got wrong is no fault of the service. A balancer that wants to see the traffic
    /// itself (it ends TLS, or counts) says `Proxy`.
    fn vip(&self) -> Option<IpAddr> {
        let ip = self.ip.0.parse::<IpAddr>().ok().filter(|_| &*self.ip_mode.0 != "Proxy");
        ip.map(|ip| ip.to_canonical())
    }
}
