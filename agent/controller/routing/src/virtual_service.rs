//! VirtualService.
//!
//! ```text
//!   JSON --read--> VirtualService --routes for a port--> l7::Rule, l7::ConnectionRoute
//!                                                        and problems
//! ```

mod action;
mod connection;
mod context;
mod cors;
mod delegate;
mod destination;
mod fault;
mod headers;
mod http;
mod matching;
mod mirror;
mod redirect;
mod retry;
mod shell;
mod spec;

use serde_json::Value;
use weir_resources::Meta;

use crate::export_to::{Audience, ExportTo};
pub(crate) use connection::ConnectionRules;
pub(crate) use context::Context;
pub(crate) use http::{HttpRules, is_catch_all};
pub use retry::retry_policy;

use crate::part::{Part, Place, part, without_nulls};
use crate::problem::{Effect, Problems, Reason, quoted};
use crate::value::is_host;
use crate::{Kind, Lookup, Mesh, ObjectRef};
use spec::{HttpRoute, Spec, TcpRoute, TlsRoute};

/// A VirtualService that has been read; what of it cannot be understood is known.
#[derive(Debug, Clone)]
pub struct VirtualService {
    pub(crate) meta: Meta,
    pub(crate) object: ObjectRef,
    /// As they are written.
    hosts: Vec<String>,
    gateways: Vec<String>,
    export_to: ExportTo,
    http: Vec<Part<HttpRoute>>,
    tls: Vec<Part<TlsRoute>>,
    tcp: Vec<Part<TcpRoute>>,
    /// Of the resource as a whole.
    read: Problems,
}

impl VirtualService {
    /// Reads a `spec`.
    pub fn read(meta: &Meta, spec: &Value) -> Self {
        let mut read = Problems::default();
        let refused = |field| Place { field, effect: Effect::Refused };
        let spec: Part<Spec> = part(&without_nulls(spec));
        let spec = spec.get(&refused("spec"), &mut read).cloned().unwrap_or_default();
        // Reported.
        let _ = spec.unknown.report(&refused("spec"), &mut read);
        let list = |part: &Part<Vec<String>>, field, read: &mut Problems| {
            part.get(&refused(field), read).cloned().unwrap_or_default()
        };
        let hosts = list(&spec.hosts, "spec.hosts", &mut read);
        for (i, host) in hosts.iter().enumerate().filter(|(_, host)| !is_host(host)) {
            let message = format!("{} is not a host", quoted(host));
            read.add(format!("spec.hosts[{i}]"), Reason::Invalid, Effect::Refused, message);
        }
        let gateways = list(&spec.gateways, "spec.gateways", &mut read);
        let export_to = ExportTo::read(&list(&spec.export_to, "spec.exportTo", &mut read), meta, &mut read);
        let service = Self {
            http: spec.http.get(&refused("spec.http"), &mut read).cloned().unwrap_or_default(),
            tls: spec.tls.get(&refused("spec.tls"), &mut read).cloned().unwrap_or_default(),
            tcp: spec.tcp.get(&refused("spec.tcp"), &mut read).cloned().unwrap_or_default(),
            meta: meta.clone(),
            object: ObjectRef::new(Kind::VirtualService, meta),
            hosts,
            gateways,
            export_to,
            read: Problems::default(),
        };
        service.notices(&mut read);
        Self { read, ..service }
    }

    /// Which resource it is.
    pub fn object(&self) -> &ObjectRef {
        &self.object
    }

    /// Its hosts in full, in lower case. None: others delegate to it.
    pub fn hosts(&self, mesh: &Mesh) -> Vec<String> {
        self.hosts.iter().map(|host| mesh.resolve(host, &self.meta.namespace)).collect()
    }

    /// Namespace and name of the VirtualServices that it delegates to: they are part of what it means.
    pub fn delegates(&self) -> Vec<(String, String)> {
        let routes = self.http.iter().filter_map(|route| match route {
            Part::Read(route) => Some(route),
            _ => None,
        });
        let named = routes.filter_map(|route| match &route.delegate {
            Part::Read(to) => Some((to.namespace_or(&self.meta.namespace).to_owned(), to.name.clone())),
            _ => None,
        });
        named.collect()
    }

    /// Everything that is wrong with it for itself: what [`frontend`](crate::frontend) says of it for a service comes beside
    /// this. `others` has at least those that it delegates to.
    pub fn problems(&self, others: &[Self], lookup: &dyn Lookup, mesh: &Mesh) -> Problems {
        let mut problems = self.read.clone();
        if !self.read.refused() {
            let context = Context { mesh, lookup, virtual_service: self, others, own: None };
            HttpRules::of(&context, &mut problems);
            ConnectionRules::of(&context, &mut problems);
        }
        problems
    }

    /// Whether it speaks to the mesh, and not to gateways alone.
    pub(crate) fn is_for_mesh(&self) -> bool {
        !self.read.refused() && (self.gateways.is_empty() || self.gateways.iter().any(|name| name == MESH))
    }

    /// The most specific of its hosts that names the service, by one of its names.
    pub(crate) fn matching_host(&self, names: &[String], mesh: &Mesh) -> Option<String> {
        let hosts = self.hosts(mesh).into_iter();
        let fits = hosts.filter(|host| names.iter().any(|name| crate::value::covers(host, name)));
        fits.max_by_key(|host| crate::value::specificity(host))
    }

    pub(crate) fn audience(&self, producers: &[&str]) -> Audience {
        self.export_to.audience(&self.meta.namespace, producers)
    }

    fn notices(&self, read: &mut Problems) {
        for (i, gateway) in self.gateways.iter().enumerate().filter(|(_, name)| *name != MESH) {
            let message =
                format!("gateways are not served yet: what is for {} has no effect", quoted(gateway));
            read.add(
                format!("spec.gateways[{i}]"),
                Reason::UnsupportedValue,
                if self.gateways.iter().any(|name| name == MESH) { Effect::Ignored } else { Effect::Refused },
                message,
            );
        }
        if self.http.is_empty() && self.tls.is_empty() && self.tcp.is_empty() && !read.refused() {
            read.notice("spec", "has no routes: requests go where they would go without it");
        }
        if self.hosts.is_empty() && !(self.tls.is_empty() && self.tcp.is_empty()) {
            let message = "is missing; only http routes can be delegated to";
            read.add("spec.hosts", Reason::Invalid, Effect::Refused, message);
        }
    }
}

/// The gateway that stands for all clients in the mesh.
const MESH: &str = "mesh";
