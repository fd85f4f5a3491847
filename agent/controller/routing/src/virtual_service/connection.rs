//! The tls and tcp routes of a VirtualService, at one port.

mod block;

use weir_proto::l7;

use block::Block;

use super::Context;
use super::destination::{NO_BACKEND, target, weights};
use super::spec::{ConnectionDestination, TcpRoute, TlsRoute};
use crate::part::{Part, Place, Reported, Unknown};
use crate::problem::{Effect, Problems, Reason};

/// Rules in the order in which they are tried.
#[derive(Default)]
pub(crate) struct ConnectionRules {
    pub(crate) tls: Vec<l7::ConnectionRoute>,
    pub(crate) tcp: Vec<l7::ConnectionRoute>,
}

impl ConnectionRules {
    pub(crate) fn of(context: &Context<'_>, problems: &mut Problems) -> Self {
        let service = context.virtual_service;
        Self {
            tls: rules(context, &service.tls, "tls", problems, |TlsRoute { matches, route, unknown }| {
                Route { matches, route, unknown, needs_match: true }
            }),
            tcp: rules(context, &service.tcp, "tcp", problems, |TcpRoute { matches, route, unknown }| {
                Route { matches, route, unknown, needs_match: false }
            }),
        }
    }
}

/// What routes of both kinds have.
struct Route<'a, M> {
    matches: &'a Part<Vec<Part<M>>>,
    route: &'a Part<Vec<ConnectionDestination>>,
    unknown: &'a Unknown,
    needs_match: bool,
}

fn rules<R, M: Block>(
    context: &Context<'_>,
    routes: &[Part<R>],
    kind: &str,
    problems: &mut Problems,
    parts: impl Fn(&R) -> Route<'_, M>,
) -> Vec<l7::ConnectionRoute> {
    let mut rules = Vec::new();
    for (i, part) in routes.iter().enumerate() {
        let field = format!("spec.{kind}[{i}]");
        let place = Place { field: &field, effect: Effect::RuleLeftOut };
        let Some(route) = part.get(&place, problems) else { continue };
        let name = format!("{}/{kind}/{i}", context.virtual_service.object);
        rules.extend(rule(context, &parts(route), name, &field, problems));
    }
    rules
}

fn rule<M: Block>(
    context: &Context<'_>,
    route: &Route<'_, M>,
    name: String,
    field: &str,
    problems: &mut Problems,
) -> Option<l7::ConnectionRoute> {
    let matches = matches(context, route, field, problems);
    let sound = route.unknown.report(&Place { field, effect: Effect::RuleFails(NO_BACKEND) }, problems);
    let backends = sound.and_then(|()| backends(context, route.route, field, problems));
    // A connection has no status; the refusal is one that is reset.
    let refusal = |Reported| {
        let unavailable =
            l7::Unavailable { status: NO_BACKEND.into(), reason: format!("{field} cannot be done") };
        let target = Some(l7::weighted_backend::Target::Unavailable(unavailable));
        vec![l7::WeightedBackend { target, weight: 1, ..l7::WeightedBackend::default() }]
    };
    let backends = backends.unwrap_or_else(refusal);
    Some(l7::ConnectionRoute { name, matches: matches.ok()??, backends })
}

fn matches<M: Block>(
    context: &Context<'_>,
    route: &Route<'_, M>,
    field: &str,
    problems: &mut Problems,
) -> Result<Option<Vec<l7::ConnectionMatch>>, Reported> {
    let effect = Effect::RuleLeftOut;
    let field = format!("{field}.match");
    let blocks = route.matches.try_get(&Place { field: &field, effect }, problems)?;
    let blocks = blocks.map_or(&[][..], Vec::as_slice);
    if blocks.is_empty() && route.needs_match {
        problems.add(&field, Reason::Invalid, effect, "is missing: a tls route needs sniHosts");
        return Err(Reported);
    }
    let (mut forms, mut wrong) = (Vec::new(), false);
    for (i, part) in blocks.iter().enumerate() {
        let field = format!("{field}[{i}]");
        let read = part.try_get(&Place { field: &field, effect }, problems);
        match read.and_then(|block| block.map(|block| block.form(context, &field, problems)).transpose()) {
            Ok(Some((port, gateways, form))) if Context::is_mesh(gateways) && context.is_port(port) => {
                forms.push(form)
            }
            Ok(Some(_)) => {}
            Ok(None) => forms.push(l7::ConnectionMatch::default()),
            Err(Reported) => wrong = true,
        }
    }
    match wrong {
        true => Err(Reported),
        false => Ok((!forms.is_empty() || blocks.is_empty()).then_some(forms)),
    }
}

fn backends(
    context: &Context<'_>,
    route: &Part<Vec<ConnectionDestination>>,
    field: &str,
    problems: &mut Problems,
) -> Result<Vec<l7::WeightedBackend>, Reported> {
    let effect = Effect::RuleFails(NO_BACKEND);
    let field = format!("{field}.route");
    let destinations = route.try_get(&Place { field: &field, effect }, problems)?;
    let destinations = destinations.map_or(&[][..], Vec::as_slice);
    let shares: Vec<i32> = destinations.iter().map(|given| given.weight).collect();
    let shares = match destinations {
        [] => Err("is missing".to_owned()),
        _ => weights(&shares),
    };
    let shares = shares.map_err(|message| {
        problems.add(&field, Reason::Invalid, effect, message);
        Reported
    })?;
    let mut backends = Vec::new();
    for ((i, given), weight) in destinations.iter().enumerate().zip(shares) {
        let target = target(context, &given.destination, &format!("{field}[{i}].destination"), problems);
        backends.push(l7::WeightedBackend { target: Some(target), weight, ..l7::WeightedBackend::default() });
    }
    Ok(backends)
}
