//! What a route is attached to.

use super::spec::ParentRef;
use super::{Parent, Route};
use crate::part::Place;
use crate::problem::{Effect, Problem, Problems, Reason, quoted};
use crate::{GatewayKind, Lookup, Mesh, Service};

/// How a route stands to one of its parents.
pub(super) enum Standing {
    /// It is one of our services, at these ports.
    Services(Vec<(Service, Vec<u16>)>),
    /// It is not ours to speak about.
    Foreign,
    /// It is ours, and the route is not attached to it.
    Not(Problem),
}

/// A parent that a route has at one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attachment {
    /// Index in `parentRefs`.
    pub(crate) parent: usize,
    pub(crate) ports: Vec<u16>,
}

impl Route {
    /// The services that it is attached to as a parent.
    pub fn parents(&self, lookup: &dyn Lookup, mesh: &Mesh) -> Vec<Service> {
        let standings = (0..self.parents.len()).map(|index| self.standing(index, lookup, mesh));
        let services = standings.filter_map(|standing| match standing {
            Standing::Services(services) => Some(services.into_iter().map(|(service, _)| service)),
            _ => None,
        });
        services.flatten().collect()
    }

    /// Where it is attached to a service.
    pub(crate) fn attachments(&self, service: &Service, lookup: &dyn Lookup, mesh: &Mesh) -> Vec<Attachment> {
        let at = |parent: usize| match self.standing(parent, lookup, mesh) {
            Standing::Services(services) => {
                let same = |other: &Service| {
                    other.namespace == service.namespace && other.hostname == service.hostname
                };
                services
                    .into_iter()
                    .find(|(other, _)| same(other))
                    .map(|(_, ports)| Attachment { parent, ports })
            }
            _ => None,
        };
        (0..self.parents.len()).filter_map(at).collect()
    }

    pub(super) fn standing(&self, index: usize, lookup: &dyn Lookup, mesh: &Mesh) -> Standing {
        let field = format!("spec.parentRefs[{index}]");
        let Parent { read, .. } = &self.parents[index];
        let mut problems = Problems::default();
        let place = Place { field: &field, effect: Effect::Refused };
        let parent = match read.try_get(&place, &mut problems) {
            Ok(Some(parent)) => parent,
            // A parent that cannot be read, or is nothing, may be anybody's.
            _ => return Standing::Foreign,
        };
        let not = |reason, part: &str, message: String| {
            let field = format!("{field}{part}");
            Standing::Not(Problem { field, message, reason, effect: Effect::NotAttached })
        };
        let namespace = parent.namespace.as_deref().unwrap_or(&self.meta.namespace);
        let (group, kind) =
            (parent.group.as_deref().unwrap_or(GATEWAY_API), parent.kind.as_deref().unwrap_or("Gateway"));
        let hosts = match (group, kind) {
            ("" | "core", "Service") => vec![mesh.service_host(namespace, &parent.name)],
            (ISTIO, "ServiceEntry") => match lookup.service_entry(namespace, &parent.name) {
                Some(hosts) => hosts,
                None => {
                    let message = format!("there is no ServiceEntry {namespace}/{}", parent.name);
                    return not(Reason::NoMatchingParent, ".name", message);
                }
            },
            (GATEWAY_API, "Gateway") => return gateway(lookup.gateway(namespace, &parent.name), not),
            _ => return Standing::Foreign,
        };
        let services: Vec<Service> =
            hosts.iter().filter_map(|host| lookup.service(host, namespace)).collect();
        if services.is_empty() {
            let message = format!("there is no {kind} {namespace}/{}", parent.name);
            return not(Reason::NoMatchingParent, ".name", message);
        }
        let attached: Vec<_> =
            services.iter().map(|service| (service.clone(), ports(service, parent))).collect();
        match attached.iter().all(|(_, ports)| ports.is_empty()) {
            true => {
                let part = if parent.section_name.is_some() { ".sectionName" } else { ".port" };
                not(Reason::NoMatchingParent, part, no_port(&services[0], parent))
            }
            false => Standing::Services(attached),
        }
    }
}

fn gateway(kind: Option<GatewayKind>, not: impl Fn(Reason, &str, String) -> Standing) -> Standing {
    match kind {
        None => Standing::Foreign,
        Some(GatewayKind::Waypoint) => {
            let message = "a waypoint takes no routes of its own; attach the route to the Service".to_owned();
            not(Reason::NotAllowedByListeners, "", message)
        }
        Some(GatewayKind::Ingress) => not(
            Reason::UnsupportedValue,
            "",
            "gateways for traffic from outside are not served yet".to_owned(),
        ),
    }
}

/// Those of the service that are meant, and on which HTTP may be spoken.
fn ports(service: &Service, parent: &ParentRef) -> Vec<u16> {
    let is_meant = |number: u16, name: &str| {
        parent.port.is_none_or(|port| port.0 == number)
            && parent.section_name.as_ref().is_none_or(|section| section == name)
    };
    let meant = service.ports.iter().filter(|port| port.is_http() && is_meant(port.number, &port.name));
    meant.map(|port| port.number).collect()
}

fn no_port(service: &Service, parent: &ParentRef) -> String {
    let named = parent.port.and_then(|port| service.port(port.0));
    let section = parent.section_name.as_deref();
    let section = section.and_then(|name| service.ports.iter().find(|port| port.name == name));
    let host = &service.hostname;
    match (named.or(section), parent.port, &parent.section_name) {
        (Some(port), ..) if !port.is_http() => {
            format!("HTTP is not spoken on port {} of {host}", port.number)
        }
        (_, Some(port), None) => format!("{host} has no port {}; it has {}", port.0, service.port_list()),
        (_, None, Some(name)) => format!("{host} has no port named {}", quoted(name)),
        (_, Some(port), Some(name)) => format!("{host} has no port {} named {}", port.0, quoted(name)),
        _ => format!("{host} has no port on which HTTP is spoken"),
    }
}

pub(super) const GATEWAY_API: &str = "gateway.networking.k8s.io";
pub(super) const ISTIO: &str = "networking.istio.io";
