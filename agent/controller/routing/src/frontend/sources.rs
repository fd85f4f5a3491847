//! Clients of whom nothing is said.
//!
//! In a sidecar, rules for other clients are not there, and if none is left the request goes to the service as without
//! a VirtualService. A waypoint serves all clients, so it has to be told: a client that no rule is about goes to the service
//! itself, while one that some rule is about, and none matches, gets 404 as always.

use weir_proto::l7::{self, rule::Action, weighted_backend::Target};

use crate::Service;

pub(super) fn with_others(mut rules: Vec<l7::Rule>, service: &Service, port: u16) -> Vec<l7::Rule> {
    let Some(sources) =
        sources(rules.iter().map(|rule| rule.matches.iter().map(|one| &one.source).collect()))
    else {
        return rules;
    };
    let named = sources.into_iter().map(|source| l7::Match { source: Some(source), ..l7::Match::default() });
    let not_found = l7::DirectResponse { status: 404, body: Vec::new() };
    rules.push(l7::Rule {
        name: "clients that have rules".to_owned(),
        matches: named.collect(),
        action: Some(Action::DirectResponse(not_found)),
        ..l7::Rule::default()
    });
    let forward = l7::Forward {
        backends: vec![itself(service, port)],
        no_backend_status: 503,
        ..l7::Forward::default()
    };
    rules.push(l7::Rule {
        name: "clients without rules".to_owned(),
        action: Some(Action::Forward(forward)),
        ..l7::Rule::default()
    });
    rules
}

pub(super) fn with_other_connections(
    mut routes: Vec<l7::ConnectionRoute>,
    service: &Service,
    port: u16,
) -> Vec<l7::ConnectionRoute> {
    let Some(sources) =
        sources(routes.iter().map(|route| route.matches.iter().map(|one| &one.source).collect()))
    else {
        return routes;
    };
    let named =
        sources.into_iter().map(|source| l7::ConnectionMatch { source: Some(source), ..Default::default() });
    routes.push(refusal(named.collect()));
    routes.push(l7::ConnectionRoute {
        name: "clients without rules".to_owned(),
        matches: Vec::new(),
        backends: vec![itself(service, port)],
    });
    routes
}

/// What matches is refused.
pub(super) fn refusal(matches: Vec<l7::ConnectionMatch>) -> l7::ConnectionRoute {
    let reason = "no rule matches".to_owned();
    let target = Some(Target::Unavailable(l7::Unavailable { status: 404, reason }));
    let backend = l7::WeightedBackend { target, weight: 1, ..l7::WeightedBackend::default() };
    l7::ConnectionRoute { name: "clients that have rules".to_owned(), matches, backends: vec![backend] }
}

fn itself(service: &Service, port: u16) -> l7::WeightedBackend {
    let backend = l7::BackendRef {
        namespace: service.namespace.clone(),
        hostname: service.hostname.clone(),
        port: port.into(),
        subset: String::new(),
    };
    l7::WeightedBackend {
        target: Some(Target::Backend(backend)),
        weight: 1,
        ..l7::WeightedBackend::default()
    }
}

/// The clients that rules are about, if every match is about some; `None` if one is about all, or there are no rules.
fn sources<'a>(rules: impl Iterator<Item = Vec<&'a Option<l7::Source>>>) -> Option<Vec<l7::Source>> {
    let mut sources: Vec<l7::Source> = Vec::new();
    for matches in rules {
        if matches.is_empty() {
            return None;
        }
        for source in matches {
            let source = source.clone()?;
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
    }
    (!sources.is_empty()).then_some(sources)
}
