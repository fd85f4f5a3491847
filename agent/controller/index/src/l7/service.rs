//! A service as translation sees it.

use prost::Message;
use weir_proto::l7::Protocol;
use weir_proto::workload::load_balancing::Scope;
use weir_proto::workload::{self as proto, AppProtocol};
use weir_resources::Resolution;
use weir_routing::{Nearness, Service, ServicePort};

use super::view::Scene;
use crate::index::Owner;
use crate::publish;

impl Scene<'_> {
    /// The service `namespace/hostname`, if it is published.
    pub(super) fn service(&self, name: &str) -> Option<Service> {
        let message = self.published(name)?;
        let ports = match self.world.claims.winner(name)? {
            Owner::Service(namespace, name) => {
                let ports = &self.world.services.get(namespace, name)?.ports;
                ports.iter().map(|port| (port.port, &*port.name)).collect::<Vec<_>>()
            }
            Owner::ServiceEntry(namespace, name) => {
                let ports = &self.world.service_entries.get(namespace, name)?.ports;
                ports.iter().map(|port| (port.port, &*port.name)).collect()
            }
            Owner::Slice(..) | Owner::Entry(_) | Owner::Pod(_) => return None,
        };
        let port = |port: &proto::Port| {
            let number = u16::try_from(port.service_port).ok()?;
            let name = ports.iter().find(|(of, _)| *of == number).map_or("", |(_, name)| name);
            Some(ServicePort { number, name: name.to_owned(), protocol: protocol(port.app_protocol()) })
        };
        let single = message.addresses.iter().filter(|address| address.length.is_none());
        Some(Service {
            namespace: message.namespace.clone(),
            hostname: message.hostname.clone(),
            ports: message.ports.iter().filter_map(port).collect(),
            addresses: single.filter_map(|address| publish::ip(&address.address)).collect(),
            nearness: nearness(&message),
            subject_alt_names: message.subject_alt_names.clone(),
        })
    }

    /// The service of this name as nodes are told it.
    pub(super) fn published(&self, name: &str) -> Option<proto::Service> {
        let resource = self.snapshot.address(name)?;
        match proto::Address::decode(resource.body.clone()).ok()?.r#type? {
            proto::address::Type::Service(service) => Some(service),
            proto::address::Type::Workload(_) => None,
        }
    }

    /// Whether connections to it go where the client dialled.
    pub(super) fn is_passthrough(&self, name: &str) -> bool {
        self.resolution(name) == Some(Resolution::None)
    }

    /// How the addresses of its endpoints are found; `None`: it is no ServiceEntry.
    pub(super) fn resolution(&self, name: &str) -> Option<Resolution> {
        let Some(Owner::ServiceEntry(namespace, name)) = self.world.claims.winner(name) else { return None };
        self.world.service_entries.get(namespace, name).map(|entry| entry.resolution)
    }
}

fn protocol(protocol: AppProtocol) -> Protocol {
    match protocol {
        AppProtocol::Unknown => Protocol::Detect,
        AppProtocol::Http11 => Protocol::Http,
        AppProtocol::Http2 => Protocol::Http2,
        AppProtocol::Grpc => Protocol::Grpc,
        AppProtocol::Tls => Protocol::Tls,
        AppProtocol::Tcp => Protocol::Tcp,
    }
}

/// Strictly the own node is what `internalTrafficPolicy: Local` says; a waypoint is on a node of its own, so the policy
/// means nothing there.
fn nearness(message: &proto::Service) -> Nearness {
    let Some(balancing) = &message.load_balancing else { return Nearness::Any };
    if balancing.mode() != proto::load_balancing::Mode::Failover {
        return Nearness::Any;
    }
    let prefers = |scope: Scope| balancing.routing_preference.contains(&scope.into());
    match (prefers(Scope::Node), prefers(Scope::Zone)) {
        (true, _) => Nearness::Node,
        (false, true) => Nearness::Zone,
        (false, false) => Nearness::Any,
    }
}
