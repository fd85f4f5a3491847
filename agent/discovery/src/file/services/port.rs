//! Port tables, of a service and of an endpoint.

use std::collections::HashSet;

use serde_saphyr::Spanned;
use weir_proto::workload as proto;

use crate::file::place::Problems;
use crate::file::schema::{self, Port};

/// The rows that are good.
pub(super) fn ports(ports: &[Spanned<Port>], at: &str, problems: &mut Problems) -> Vec<proto::Port> {
    let mut seen = HashSet::new();
    let mut messages = Vec::new();
    for (n, entry) in ports.iter().enumerate() {
        let field = format!("{at}.ports[{n}]");
        let port = &entry.value;
        let Some(service_port) = problems.port(&port.service_port, 1, format_args!("{field}.servicePort"))
        else {
            continue;
        };
        let target = port.target_port.as_ref().unwrap_or(&port.service_port);
        let Some(target_port) = problems.port(target, 0, format_args!("{field}.targetPort")) else {
            continue;
        };
        if !seen.insert(service_port) {
            let message = format!("port {service_port} is in the list twice");
            problems.at(port.service_port.referenced, format_args!("{field}.servicePort"), message);
        }
        let app_protocol = match port.app_protocol {
            schema::AppProtocol::Unknown => proto::AppProtocol::Unknown,
            schema::AppProtocol::Http11 => proto::AppProtocol::Http11,
            schema::AppProtocol::Http2 => proto::AppProtocol::Http2,
            schema::AppProtocol::Grpc => proto::AppProtocol::Grpc,
            schema::AppProtocol::Tcp => proto::AppProtocol::Tcp,
            schema::AppProtocol::Tls => proto::AppProtocol::Tls,
        } as i32;
        let (service_port, target_port) = (u32::from(service_port), u32::from(target_port));
        messages.push(proto::Port { service_port, target_port, app_protocol });
    }
    messages
}
