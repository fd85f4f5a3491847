//! What is wrong with an object, for who asks before it is there: in the words of its status, and without what the mesh holds
//! besides.

use weir_resources::{Object, Problem};
use weir_routing::{
    Credential, DestinationRule, Effect, GatewayKind, Grant, Lookup, Mesh, Problems, Reason, Route, Service,
    VirtualService,
};

use crate::{Config, policy};

/// For what an object would be refused: it cannot be read, or contradicts itself. What is right and not served here may be
/// for somebody else (an ingress gateway of Istio's), and is no reason.
pub fn check(object: &Object, config: &Config) -> Vec<Problem> {
    match routing(object, config) {
        Some(problems) => shown(&problems, is_wrong),
        None => policy::check(object, config),
    }
}

/// What its author should know, though it is taken.
pub fn warnings(object: &Object, config: &Config) -> Vec<Problem> {
    match routing(object, config) {
        Some(problems) => shown(&problems, |problem| !is_wrong(problem) && !is_about_others(problem)),
        None => policy::warnings(object, config),
    }
}

/// `None`: it is about something else.
fn routing(object: &Object, config: &Config) -> Option<Vec<weir_routing::Problem>> {
    let mesh = Mesh {
        domain: config.cluster_domain.to_string(),
        root_namespace: config.root_namespace.to_string(),
        ..Mesh::default()
    };
    let of_route = |route: Route| {
        let mut all: Vec<weir_routing::Problem> = Vec::new();
        for problem in route.status(&[], &Blind, &mesh).into_iter().flat_map(|parent| parent.problems) {
            // Most are said of each parent.
            if !all.contains(&problem) {
                all.push(problem);
            }
        }
        all
    };
    let of = |problems: Problems| problems.into_iter().collect();
    Some(match object {
        Object::VirtualService(o) => of(VirtualService::read(&o.meta, &o.spec).problems(&[], &Blind, &mesh)),
        Object::DestinationRule(o) => of(DestinationRule::read(&o.meta, &o.spec).problems(&Blind, &mesh)),
        // Parents that are gateways are others' to judge.
        Object::HttpRoute(o) => of_route(Route::http(&o.meta, &o.spec)),
        Object::GrpcRoute(o) => of_route(Route::grpc(&o.meta, &o.spec)),
        _ => return None,
    })
}

fn is_wrong(problem: &weir_routing::Problem) -> bool {
    let reason = matches!(problem.reason, Reason::Invalid | Reason::IncompatibleFilters);
    reason && !matches!(problem.effect, Effect::Notice | Effect::Ignored)
}

/// What it refers to may come later.
fn is_about_others(problem: &weir_routing::Problem) -> bool {
    problem.reason.is_reference() || matches!(problem.reason, Reason::NoMatchingParent | Reason::Overruled)
}

fn shown(problems: &[weir_routing::Problem], is: impl Fn(&weir_routing::Problem) -> bool) -> Vec<Problem> {
    let those = problems.iter().filter(|problem| is(problem));
    those
        .map(|problem| {
            let text = problem.to_string();
            let message = text.strip_prefix(&format!("{}: ", problem.field)).unwrap_or(&problem.message);
            Problem::new(&problem.field, message)
        })
        .collect()
}

/// A mesh of which nothing is known.
struct Blind;

impl Lookup for Blind {
    fn service(&self, _: &str, _: &str) -> Option<Service> {
        None
    }

    fn has_subset(&self, _: &Service, _: &str) -> bool {
        true
    }

    fn service_entry(&self, _: &str, _: &str) -> Option<Vec<String>> {
        None
    }

    fn is_granted(&self, _: &Grant<'_>) -> bool {
        true
    }

    fn gateway(&self, _: &str, _: &str) -> Option<GatewayKind> {
        None
    }

    fn credential(&self, _: &str, _: &str) -> Credential {
        Credential::Awaited
    }
}
