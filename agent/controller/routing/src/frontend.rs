//! A service as its clients see it: what all VirtualServices and routes say of it, as one.
//!
//! Several resources may speak of one port of one service. For a client's namespace the first of these decides alone:
//!
//! 1. routes of the Gateway API in that namespace, if the service is another's (consumers' routes);
//! 2. VirtualServices there, likewise;
//! 3. routes of the Gateway API in the service's namespace (producers' routes);
//! 4. VirtualServices in the namespaces of the service and of the waypoint, as far as they are exported to the client's.
//!
//! So a consumer comes before the producers, and then the Gateway API before Istio's. Among routes, a GRPCRoute comes before
//! an HTTPRoute. Within one of them: routes are merged by the precedence of the Gateway API; of VirtualServices those
//! whose host names the service most closely are merged, the oldest first, then by namespace and name, rules that match
//! everything behind all others. Who is not heard is told.

mod connections;
mod hearing;
mod overruled;
mod rules;
mod sources;

use weir_proto::l7;

use crate::problem::Remark;
use crate::{Lookup, Mesh, Route, Service, VirtualService};
use hearing::Hearing;

/// What concerns one service: at least what names it, and the delegates of that. The order does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Objects<'a> {
    /// Also those of which nobody knows whether they concern it.
    pub virtual_services: &'a [VirtualService],
    /// HTTPRoutes and GRPCRoutes.
    pub routes: &'a [Route],
}

/// A service in the neutral form, and what is to be said to the authors of the resources beside their own problems.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Without policies: these are for the one who knows them.
    pub form: l7::Frontend,
    /// In the order of the objects and fields, each once.
    pub remarks: Vec<Remark>,
}

/// What a waypoint in the namespace `waypoint` does for a service.
pub fn frontend(
    service: &Service,
    waypoint: &str,
    objects: &Objects<'_>,
    lookup: &dyn Lookup,
    mesh: &Mesh,
) -> Outcome {
    let hearing = Hearing::new(service, waypoint, objects, lookup, mesh);
    let mut remarks = hearing.remarks();
    let mut overruled = overruled::Overruled::default();
    let ports = service.ports.iter().map(|port| {
        let mut http = Vec::new();
        if port.is_http() {
            let decisions = hearing.decide(port, &mut overruled);
            http = rules::sets(&hearing, port.number, &decisions, &mut remarks);
        }
        let (tls, tcp) = connections::routes(&hearing, port, &mut remarks);
        l7::FrontendPort { port: port.number.into(), protocol: port.protocol.into(), http, tls, tcp }
    });
    let form = l7::Frontend {
        namespace: service.namespace.clone(),
        hostname: service.hostname.clone(),
        ports: ports.collect(),
        authorizations: Vec::new(),
    };
    remarks.extend(overruled.remarks(&hearing));
    remarks.sort();
    remarks.dedup();
    Outcome { form, remarks }
}
