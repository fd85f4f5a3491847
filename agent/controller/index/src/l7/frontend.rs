//! A service as its clients see it at the waypoints of a namespace.

use std::collections::BTreeSet;
use std::sync::Arc;

use weir_proto::l7::{self, rule::Action, weighted_backend::Target};
use weir_routing::{Objects, Remark, Route, Service, VirtualService};

use super::unit::{At, Dep};
use super::view::{Scene, View, name_of};
use crate::index::Owner;
use crate::policy::{self, TargetKind};

/// What came of it.
pub(super) struct Made {
    pub(super) form: l7::Frontend,
    pub(super) remarks: Vec<Remark>,
    /// Services that it names, itself among them.
    pub(super) names: BTreeSet<Arc<str>>,
}

/// `None` if there is no such service. What was asked on the way is always said.
pub(super) fn make(scene: Scene<'_>, at: &At) -> (Option<Made>, BTreeSet<Dep>) {
    let view = View::new(scene, &at.reader);
    let made = view.named(&at.service).map(|service| of_service(&view, at, &service));
    (made, view.into_asked())
}

fn of_service(view: &View<'_>, at: &At, service: &Service) -> Made {
    let virtual_services = virtual_services(view, service);
    let routes = routes(view, &at.service);
    let objects = Objects { virtual_services: &virtual_services, routes: &routes };
    let mesh = &view.scene.world.routings.mesh;
    let outcome = weir_routing::frontend(service, &at.reader, &objects, view, mesh);
    let mut form = outcome.form;
    form.authorizations = authorizations(view, &at.service);
    let mut names = BTreeSet::from([name_of(service)]);
    for port in &form.ports {
        backends(port, &mut |name| {
            names.insert(name);
        });
    }
    Made { form, remarks: outcome.remarks, names }
}

/// Those that name it, and those to which these delegate.
fn virtual_services(view: &View<'_>, service: &Service) -> Vec<VirtualService> {
    let kept = &view.scene.world.routings.virtual_services;
    let addresses: Vec<String> = service.addresses.iter().map(ToString::to_string).collect();
    let hosts = || std::iter::once(&*service.hostname).chain(addresses.iter().map(String::as_str));
    hosts().for_each(|host| view.ask(Dep::VirtualServices(host.into())));
    view.ask(Dep::WideVirtualServices);
    let mut names: BTreeSet<_> = kept.of_hosts(hosts()).into_iter().cloned().collect();
    for name in names.clone() {
        names.extend(view.delegates(&name));
    }
    names.iter().filter_map(|name| kept.get(name).map(|(_, read)| read.clone())).collect()
}

fn routes(view: &View<'_>, service: &Arc<str>) -> Vec<Route> {
    view.ask(Dep::Routes(service.clone()));
    let routings = &view.scene.world.routings;
    let keys = routings.routes_of.get(service).into_iter().flatten();
    keys.filter_map(|key| routings.routes.get(key).map(|(_, read)| read.clone())).collect()
}

/// Policies that name the service.
fn authorizations(view: &View<'_>, name: &str) -> Vec<l7::Authorization> {
    let world = view.scene.world;
    let (kind, namespace, name) = match world.claims.winner(name) {
        Some(Owner::Service(namespace, name)) => (TargetKind::Service, namespace, name),
        Some(Owner::ServiceEntry(namespace, name)) => (TargetKind::ServiceEntry, namespace, name),
        _ => return Vec::new(),
    };
    view.policies(policy::Target { kind, namespace: namespace.clone(), name: name.clone() })
}

/// The names of all services to which a port sends something.
fn backends(port: &l7::FrontendPort, name: &mut dyn FnMut(Arc<str>)) {
    let mut one =
        |backend: &l7::BackendRef| name(format!("{}/{}", backend.namespace, backend.hostname).into());
    for rule in port.http.iter().flat_map(|set| &set.rules) {
        let Some(Action::Forward(forward)) = &rule.action else { continue };
        let mirrors = forward.backends.iter().flat_map(|backend| &backend.mirrors).chain(&forward.mirrors);
        mirrors.filter_map(|mirror| mirror.backend.as_ref()).for_each(&mut one);
        weighted(&forward.backends).for_each(&mut one);
    }
    let connections = port.tls.iter().chain(&port.tcp);
    connections.flat_map(|route| weighted(&route.backends)).for_each(&mut one);
}

fn weighted(backends: &[l7::WeightedBackend]) -> impl Iterator<Item = &l7::BackendRef> {
    backends.iter().filter_map(|backend| match &backend.target {
        Some(Target::Backend(backend)) => Some(backend),
        Some(Target::Unavailable(_)) | None => None,
    })
}
