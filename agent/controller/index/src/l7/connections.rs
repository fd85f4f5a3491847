//! What node agents are told of connections to a service that has no waypoint.

use prost::Message;
use weir_proto::{TRAFFIC_POLICY, type_url, workload as proto};
use weir_routing::{Connections, DestinationRule, Service, ServicePort, covers};

use super::view::View;
use crate::index::Owner;
use crate::world::World;

/// The extension of a service's resource, if there is something to say. A service whose connections go through a waypoint gets
/// nothing: what holds for it holds there.
pub(crate) fn extensions(world: &World, service: &proto::Service) -> Vec<proto::Extension> {
    if passes_waypoint(service) {
        return Vec::new();
    }
    let form = of(world, service).form;
    if form.audiences.is_empty() {
        return Vec::new();
    }
    let config =
        prost_types::Any { type_url: type_url::TRAFFIC_POLICY.to_owned(), value: form.encode_to_vec() };
    vec![proto::Extension { name: TRAFFIC_POLICY.to_owned(), config: Some(config) }]
}

/// Whose resources may be others when a rule for this host is another.
pub(crate) fn concerned(world: &World, host: &str) -> Vec<Owner> {
    let claims = &world.claims;
    let names: Vec<_> = match host.starts_with('*') {
        true => claims.hosts().filter(|one| covers(host, one)).flat_map(|one| claims.names_of(one)).collect(),
        false => claims.names_of(host).collect(),
    };
    names.into_iter().filter_map(|name| claims.winner(name)).cloned().collect()
}

impl View<'_> {
    /// What holds for the connections to a service, as its clients' agents are told; `None`: nothing, a waypoint carries them.
    pub(super) fn connections(&self, name: &str) -> Option<Connections> {
        let message = self.scene.published(name).filter(|service| !passes_waypoint(service))?;
        self.ask_rules(&message.hostname);
        Some(of(self.scene.world, &message))
    }
}

fn passes_waypoint(service: &proto::Service) -> bool {
    service.waypoint.is_some() || !service.weighted_waypoints.is_empty()
}

fn of(world: &World, service: &proto::Service) -> Connections {
    let kept = &world.routings.rules;
    let names = kept.of_hosts([&*service.hostname].into_iter());
    let rules: Vec<&DestinationRule> =
        names.into_iter().filter_map(|name| kept.get(name).map(|(_, rule)| rule)).collect();
    if rules.is_empty() {
        return Connections::default();
    }
    let number = |port: &proto::Port| u16::try_from(port.service_port).ok();
    let ports = service.ports.iter().filter_map(number);
    let service = Service {
        namespace: service.namespace.clone(),
        hostname: service.hostname.clone(),
        ports: ports.map(|number| ServicePort { number, ..ServicePort::default() }).collect(),
        ..Service::default()
    };
    weir_routing::connections(&service, &rules, &world.routings.mesh)
}
