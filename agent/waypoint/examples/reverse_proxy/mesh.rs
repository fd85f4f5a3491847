//! What a control plane would say: a waypoint for one service, its routes, and the endpoints behind it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use prost::Message;
use weir_discovery::on_demand::Asker as _;
use weir_proto::{l7, type_url};
use weir_waypoint::proxy::Service;
use weir_waypoint::run::{Feed, Serving};

/// What is served.
pub(super) struct Mesh {
    /// All routes but the last, which takes everything: `/route/0/` and so on.
    pub(super) routes: usize,
    pub(super) endpoints: Vec<SocketAddr>,
    /// HTTP/2 to them, whatever the client speaks.
    pub(super) http2: bool,
    /// A policy that lets these requests in.
    pub(super) policy: bool,
}

/// Of the service, which nobody dials: the listener stands for it.
pub(super) const PORT: u16 = 80;

impl Mesh {
    /// Says all of it to a waypoint's own feed: from here on, nothing is other than in the mesh.
    pub(super) fn serve(&self, serving: &Arc<Serving>) -> Result<Arc<Service>, String> {
        let mut feed = Feed::new("bench/waypoint", serving.clone());
        let mut put = |url, name: &str, form: Vec<u8>| feed.put(url, name, &form.into());
        put(type_url::WAYPOINT, "bench/waypoint", waypoint().encode_to_vec())?;
        put(type_url::FRONTEND, NAME, self.frontend().encode_to_vec())?;
        put(type_url::BACKEND, NAME, self.backend().encode_to_vec())?;
        put(type_url::ENDPOINTS, NAME, self.endpoints().encode_to_vec())?;
        feed.settle();
        serving.service(NAME).ok_or_else(|| "the service is not served".to_owned())
    }

    fn frontend(&self) -> l7::Frontend {
        let rules = (0..self.routes).map(|n| forward(Some(n))).chain([forward(None)]).collect();
        let port = l7::FrontendPort {
            port: PORT.into(),
            protocol: l7::Protocol::Http.into(),
            http: vec![l7::RuleSet { source_namespace: String::new(), rules }],
            ..Default::default()
        };
        let authorizations = self.policy.then(policy).into_iter().collect();
        l7::Frontend { namespace: "bench".into(), hostname: HOST.into(), ports: vec![port], authorizations }
    }

    fn backend(&self) -> l7::Backend {
        let protocol = match self.http2 {
            true => l7::UpstreamProtocol::UpstreamHttp2,
            false => l7::UpstreamProtocol::UpstreamHttp1,
        };
        let algorithm = l7::load_balancer::Algorithm::LeastRequest(l7::LeastRequest::default());
        let cluster = l7::Cluster {
            port: PORT.into(),
            protocol: protocol.into(),
            load_balancer: Some(l7::LoadBalancer { algorithm: Some(algorithm), ..Default::default() }),
            ..Default::default()
        };
        l7::Backend { namespace: "bench".into(), hostname: HOST.into(), clusters: vec![cluster] }
    }

    fn endpoints(&self) -> l7::Endpoints {
        l7::Endpoints {
            namespace: "bench".into(),
            hostname: HOST.into(),
            endpoints: self.endpoints.iter().map(endpoint).collect(),
            ..Default::default()
        }
    }
}

fn waypoint() -> l7::Waypoint {
    l7::Waypoint {
        namespace: "bench".into(),
        name: "waypoint".into(),
        frontends: vec![NAME.into()],
        ..Default::default()
    }
}

/// GET below `/`: what each request is held against.
fn policy() -> l7::Authorization {
    let method =
        l7::StringMatch { kind: Some(l7::string_match::Kind::Exact("GET".into())), ..Default::default() };
    let path =
        l7::StringMatch { kind: Some(l7::string_match::Kind::Prefix("/".into())), ..Default::default() };
    let path = l7::AuthorizationPath { kind: Some(l7::authorization_path::Kind::Text(path)) };
    let operation = l7::Operation { methods: vec![method], paths: vec![path], ..Default::default() };
    l7::Authorization {
        namespace: "bench".into(),
        name: "readers".into(),
        action: l7::Action::Allow.into(),
        rules: vec![l7::AuthorizationRule { to: vec![operation], ..Default::default() }],
        ..Default::default()
    }
}

/// `None`: the one that takes everything.
fn forward(n: Option<usize>) -> l7::Rule {
    let path = |n| l7::PathMatch {
        kind: Some(l7::path_match::Kind::Prefix(format!("/route/{n}/"))),
        ignore_case: false,
    };
    let backend = l7::BackendRef {
        namespace: "bench".into(),
        hostname: HOST.into(),
        port: PORT.into(),
        ..Default::default()
    };
    let backend = l7::WeightedBackend {
        target: Some(l7::weighted_backend::Target::Backend(backend)),
        weight: 1,
        ..Default::default()
    };
    let forward = l7::Forward { backends: vec![backend], no_backend_status: 503, ..Default::default() };
    l7::Rule {
        name: n.map_or("all".into(), |n| format!("route-{n}")),
        matches: n.map(|n| l7::Match { path: Some(path(n)), ..Default::default() }).into_iter().collect(),
        action: Some(l7::rule::Action::Forward(forward)),
        ..Default::default()
    }
}

fn endpoint(address: &SocketAddr) -> l7::Endpoint {
    l7::Endpoint {
        uid: address.to_string(),
        addresses: vec![match address.ip() {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        }],
        ports: [(u32::from(PORT), u32::from(address.port()))].into(),
        ..Default::default()
    }
}

const HOST: &str = "backend.bench.svc.cluster.local";
/// Namespace/hostname, as resources are named.
const NAME: &str = "bench/backend.bench.svc.cluster.local";
