//! TLS and TCP at a port.

use weir_proto::l7;

use super::hearing::{Decision, Hearing, Speaker};
use super::sources::{refusal, with_other_connections};
use crate::problem::{Problems, Remark};
use crate::virtual_service::ConnectionRules;
use crate::{ServicePort, VirtualService};

/// Routes for TLS, and those for TCP.
pub(super) fn routes(
    hearing: &Hearing<'_>,
    port: &ServicePort,
    remarks: &mut Vec<Remark>,
) -> (Vec<l7::ConnectionRoute>, Vec<l7::ConnectionRoute>) {
    use l7::Protocol::{Detect, Tcp, Tls};
    let may_be_tls = matches!(port.protocol, Detect | Tls);
    let may_be_tcp = matches!(port.protocol, Detect | Tls | Tcp);
    let mut all = |wanted: bool, pick: fn(ConnectionRules) -> Vec<l7::ConnectionRoute>| {
        if wanted { of_kind(hearing, port.number, pick, remarks) } else { Vec::new() }
    };
    (all(may_be_tls, |rules| rules.tls), all(may_be_tcp, |rules| rules.tcp))
}

fn of_kind(
    hearing: &Hearing<'_>,
    port: u16,
    pick: fn(ConnectionRules) -> Vec<l7::ConnectionRoute>,
    remarks: &mut Vec<Remark>,
) -> Vec<l7::ConnectionRoute> {
    let rules_of = |service: &VirtualService, problems: &mut Problems| {
        pick(ConnectionRules::of(&hearing.context(service, port), problems))
    };
    let decisions =
        hearing.decide_connections(|service| !rules_of(service, &mut Problems::default()).is_empty());
    let mut routes = Vec::new();
    for Decision { namespace, speaker } in decisions {
        let Speaker::Services(services) = speaker else { continue };
        let mut own = Vec::new();
        for service in services {
            let mut problems = Problems::default();
            own.extend(rules_of(service, &mut problems));
            let of = |problem| Remark { object: service.object().clone(), problem };
            remarks.extend(problems.into_iter().map(of));
        }
        match namespace {
            None => routes.extend(own),
            Some(namespace) => {
                let only = l7::Source { namespace, ..l7::Source::default() };
                routes.extend(own.into_iter().filter_map(|route| within(route, &only)));
                // What is for all is not for them.
                routes.push(refusal(vec![l7::ConnectionMatch { source: Some(only), ..Default::default() }]));
            }
        }
    }
    with_other_connections(routes, hearing.service, port)
}

/// A route for the clients of one namespace; `None` if it is for others.
fn within(route: l7::ConnectionRoute, only: &l7::Source) -> Option<l7::ConnectionRoute> {
    let every = || vec![l7::ConnectionMatch::default()];
    let matches = if route.matches.is_empty() { every() } else { route.matches };
    let narrow = |one: l7::ConnectionMatch| {
        let source = one.source.clone().unwrap_or_default();
        let fits = source.namespace.is_empty() || source.namespace == only.namespace;
        let source = l7::Source { namespace: only.namespace.clone(), ..source };
        fits.then_some(l7::ConnectionMatch { source: Some(source), ..one })
    };
    let matches: Vec<_> = matches.into_iter().filter_map(narrow).collect();
    (!matches.is_empty()).then_some(l7::ConnectionRoute { matches, ..route })
}
