//! Which backends a form names, with their ports and subsets.

use weir_proto::l7;
use weir_proto::l7::rule::Action;
use weir_proto::l7::weighted_backend::Target;

/// A port, and perhaps a subset, of a backend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reference {
    /// namespace/hostname.
    pub(crate) backend: String,
    pub(crate) port: u32,
    /// Empty: the whole service.
    pub(crate) subset: String,
}

/// All that requests to a frontend may go to, by its routes.
pub(crate) fn references(frontend: &l7::Frontend) -> impl Iterator<Item = Reference> {
    let of_port = |port: &l7::FrontendPort| {
        let rules = port.http.iter().flat_map(|set| &set.rules).flat_map(of_rule);
        let connections = port.tls.iter().chain(&port.tcp).flat_map(|route| of_weighted(&route.backends));
        rules.chain(connections).collect::<Vec<_>>()
    };
    frontend.ports.iter().flat_map(of_port)
}

/// Whether its routes look at the labels of clients.
pub(super) fn asks_labels(frontend: &l7::Frontend) -> bool {
    let asks = |source: &Option<l7::Source>| source.as_ref().is_some_and(|source| !source.labels.is_empty());
    frontend.ports.iter().any(|port| {
        let rules = port.http.iter().flat_map(|set| &set.rules).flat_map(|rule| &rule.matches);
        let routes = port.tls.iter().chain(&port.tcp).flat_map(|route| &route.matches);
        rules.map(|one| &one.source).chain(routes.map(|one| &one.source)).any(asks)
    })
}

/// The backend of a client of whom no route says anything.
pub(crate) fn own(frontend: &l7::Frontend) -> String {
    format!("{}/{}", frontend.namespace, frontend.hostname)
}

fn of_rule(rule: &l7::Rule) -> Vec<Reference> {
    let Some(Action::Forward(forward)) = &rule.action else { return Vec::new() };
    of_weighted(&forward.backends).into_iter().chain(of_mirrors(&forward.mirrors)).collect()
}

fn of_weighted(backends: &[l7::WeightedBackend]) -> Vec<Reference> {
    let one = |weighted: &l7::WeightedBackend| {
        let target = match &weighted.target {
            Some(Target::Backend(backend)) => Some(reference(backend)),
            Some(Target::Unavailable(_)) | None => None,
        };
        target.into_iter().chain(of_mirrors(&weighted.mirrors)).collect::<Vec<_>>()
    };
    backends.iter().flat_map(one).collect()
}

fn of_mirrors(mirrors: &[l7::Mirror]) -> Vec<Reference> {
    mirrors.iter().filter_map(|mirror| mirror.backend.as_ref()).map(reference).collect()
}

fn reference(backend: &l7::BackendRef) -> Reference {
    Reference {
        backend: format!("{}/{}", backend.namespace, backend.hostname),
        port: backend.port,
        subset: backend.subset.clone(),
    }
}
