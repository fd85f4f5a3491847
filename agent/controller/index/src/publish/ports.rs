//! Port tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_proto::workload::{AppProtocol, Port, PortList};
use weir_resources::{Pod, Service, ServiceEntry, ServicePort, TargetPort};

/// The table of a Kubernetes service; a named port is each endpoint's own to say.
pub(super) fn of_service(service: &Service) -> Vec<Port> {
    let row = |port: &ServicePort| {
        let target = match port.target {
            TargetPort::Number(number) => number,
            TargetPort::Name(_) => 0,
        };
        let protocol =
            if port.app_protocol.is_empty() { by_name(&port.name) } else { by_protocol(&port.app_protocol) };
        row(port.port, target, protocol)
    };
    service.ports.iter().map(row).collect()
}

/// The table of a service entry.
pub(super) fn of_entry(entry: &ServiceEntry) -> Vec<Port> {
    tcp(entry).map(|port| row(port.port, port.target, by_protocol(&port.protocol))).collect()
}

/// A pod's ports of a service: a port whose name no container has is not served.
pub(super) fn of_pod(service: &Service, pod: &Pod) -> PortList {
    let named =
        |name: &Arc<str>| pod.ports.iter().find(|port| port.tcp && port.name == *name).map(|p| p.port);
    let target = |port: &ServicePort| match &port.target {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => named(name),
    };
    list(service.ports.iter().filter_map(|port| Some((port.port, target(port)?))))
}

/// A workload entry's ports of a Kubernetes service. The entry gives numbers to names: of target ports, else of ports.
pub(super) fn of_machine(service: &Service, ports: &BTreeMap<Arc<str>, u16>) -> PortList {
    let target = |port: &ServicePort| match &port.target {
        TargetPort::Number(number) => Some(*ports.get(&port.name).unwrap_or(number)),
        TargetPort::Name(name) => ports.get(name).or_else(|| ports.get(&port.name)).copied(),
    };
    list(service.ports.iter().filter_map(|port| Some((port.port, target(port)?))))
}

/// An endpoint's ports of a service entry, which may give numbers of its own to the entry's names.
pub(super) fn of_endpoint(entry: &ServiceEntry, ports: &BTreeMap<Arc<str>, u16>) -> PortList {
    list(tcp(entry).map(|port| (port.port, *ports.get(&port.name).unwrap_or(&port.target))))
}

/// Rows whose target is a port.
pub(super) fn list(rows: impl Iterator<Item = (u16, u16)>) -> PortList {
    let rows = rows.filter(|(_, target)| *target != 0);
    PortList { ports: rows.map(|(port, target)| row(port, target, AppProtocol::Unknown)).collect() }
}

fn row(port: u16, target: u16, protocol: AppProtocol) -> Port {
    Port { service_port: port.into(), target_port: target.into(), app_protocol: protocol.into() }
}

fn tcp(entry: &ServiceEntry) -> impl Iterator<Item = &weir_resources::ServiceEntryPort> {
    entry.ports.iter().filter(|port| port.port != 0 && !port.protocol.eq_ignore_ascii_case("UDP"))
}

/// `http-web`, `grpc`: what comes before the first dash.
fn by_name(name: &str) -> AppProtocol {
    if name.starts_with("grpc-web") {
        return AppProtocol::Http11;
    }
    by_protocol(name.split('-').next().unwrap_or_default())
}

fn by_protocol(protocol: &str) -> AppProtocol {
    match protocol.to_ascii_lowercase().as_str() {
        "http" | "http_proxy" | "grpc-web" | "kubernetes.io/ws" => AppProtocol::Http11,
        "http2" | "h2c" | "kubernetes.io/h2c" => AppProtocol::Http2,
        "grpc" => AppProtocol::Grpc,
        "https" | "tls" | "kubernetes.io/wss" => AppProtocol::Tls,
        "tcp" | "mongo" | "mysql" | "redis" => AppProtocol::Tcp,
        _ => AppProtocol::Unknown,
    }
}
