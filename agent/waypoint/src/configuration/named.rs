//! Which backends a form names.

use weir_proto::l7;
use weir_proto::l7::rule::Action;
use weir_proto::l7::weighted_backend::Target;

/// Names of all backends that requests to a frontend may go to: those of its routes, and itself.
pub(super) fn backends(frontend: &l7::Frontend) -> impl Iterator<Item = String> {
    let own = format!("{}/{}", frontend.namespace, frontend.hostname);
    let of_port = |port: &l7::FrontendPort| {
        let rules = port.http.iter().flat_map(|set| &set.rules).flat_map(of_rule);
        let connections = port.tls.iter().chain(&port.tcp).flat_map(|route| of_weighted(&route.backends));
        rules.chain(connections).collect::<Vec<_>>()
    };
    std::iter::once(own).chain(frontend.ports.iter().flat_map(of_port))
}

fn of_rule(rule: &l7::Rule) -> Vec<String> {
    let Some(Action::Forward(forward)) = &rule.action else { return Vec::new() };
    of_weighted(&forward.backends).into_iter().chain(of_mirrors(&forward.mirrors)).collect()
}

fn of_weighted(backends: &[l7::WeightedBackend]) -> Vec<String> {
    let one = |weighted: &l7::WeightedBackend| {
        let target = match &weighted.target {
            Some(Target::Backend(backend)) => Some(name(backend)),
            Some(Target::Unavailable(_)) | None => None,
        };
        target.into_iter().chain(of_mirrors(&weighted.mirrors)).collect::<Vec<_>>()
    };
    backends.iter().flat_map(one).collect()
}

fn of_mirrors(mirrors: &[l7::Mirror]) -> Vec<String> {
    mirrors.iter().filter_map(|mirror| mirror.backend.as_ref()).map(name).collect()
}

fn name(backend: &l7::BackendRef) -> String {
    format!("{}/{}", backend.namespace, backend.hostname)
}
