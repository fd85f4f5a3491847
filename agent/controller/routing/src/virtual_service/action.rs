//! What a rule does with a request.

use weir_proto::l7::{self, rule::Action};

use super::destination::{NO_BACKEND, target, weights};
use super::headers::operations;
use super::redirect::{direct_response, redirect};
use super::shell::Shell;
use super::spec::{HttpDestination, HttpRoute};
use super::{Context, retry::Policy};
use crate::part::{Part, Place, Reported};
use crate::problem::{Effect, Problems, Reason};

/// The rule without its name and matches. One that cannot be done answers with an error, so that no request gets what its
/// author did not want.
pub(super) fn rule(
    context: &Context<'_>,
    route: &HttpRoute,
    shell: Shell,
    rule: &str,
    problems: &mut Problems,
) -> l7::Rule {
    let action = match exclusive(route, rule, problems) {
        Ok(()) => action(context, route, &shell, rule, problems),
        Err(Reported) => Err(Reported),
    };
    let action = action.ok().filter(|_| !shell.fails);
    let failed =
        || Action::DirectResponse(l7::DirectResponse { status: NO_BACKEND.into(), body: Vec::new() });
    let holds = action.is_some();
    l7::Rule {
        action: Some(action.unwrap_or_else(failed)),
        request_headers: shell.headers.request.filter(|_| holds),
        response_headers: shell.headers.response.filter(|_| holds),
        fault: shell.fault.filter(|_| holds),
        cors: shell.cors.filter(|_| holds),
        ..l7::Rule::default()
    }
}

/// A rule does one thing.
fn exclusive(route: &HttpRoute, rule: &str, problems: &mut Problems) -> Result<(), Reported> {
    let has_route = match &route.route {
        Part::Read(destinations) => !destinations.is_empty(),
        part => part.is_there(),
    };
    let actions = [has_route, route.redirect.is_there(), route.direct_response.is_there()];
    let message = match actions.iter().filter(|there| **there).count() {
        1 => return Ok(()),
        0 => "does nothing: route, redirect, directResponse or delegate is missing",
        _ => "route, redirect and directResponse exclude each other",
    };
    problems.add(rule, Reason::Invalid, Effect::RuleFails(NO_BACKEND), message);
    Err(Reported)
}

fn action(
    context: &Context<'_>,
    route: &HttpRoute,
    shell: &Shell,
    rule: &str,
    problems: &mut Problems,
) -> Result<Action, Reported> {
    let effect = Effect::RuleFails(NO_BACKEND);
    let wrong = |field: String, (part, message): (&str, String), problems: &mut Problems| {
        problems.add(format!("{field}{part}"), Reason::Invalid, effect, message);
        Reported
    };
    let field = format!("{rule}.redirect");
    if let Some(given) = route.redirect.try_get(&Place { field: &field, effect }, problems)? {
        let redirect = redirect(given).map_err(|why| wrong(field, why, problems))?;
        return Ok(Action::Redirect(redirect));
    }
    let field = format!("{rule}.directResponse");
    if let Some(given) = route.direct_response.try_get(&Place { field: &field, effect }, problems)? {
        let response = direct_response(given).map_err(|why| wrong(field, why, problems))?;
        return Ok(Action::DirectResponse(response));
    }
    let field = format!("{rule}.route");
    let destinations = route.route.try_get(&Place { field: &field, effect }, problems)?;
    let backends = backends(context, destinations.map_or(&[], Vec::as_slice), &field, problems)?;
    Ok(Action::Forward(forward(context, shell, backends)))
}

fn forward(context: &Context<'_>, shell: &Shell, backends: Vec<l7::WeightedBackend>) -> l7::Forward {
    let Policy { retry, try_timeout } = shell.retry.clone().unwrap_or_default();
    l7::Forward {
        backends,
        rewrite: shell.rewrite.clone(),
        // 0 is none.
        timeout: shell.timeout.filter(|timeout| !timeout.0.is_zero()).map(|timeout| timeout.wire()),
        try_timeout,
        retry: retry.or_else(|| context.mesh.default_retry.clone()),
        mirrors: shell.mirrors.clone().unwrap_or_default(),
        no_backend_status: NO_BACKEND.into(),
    }
}

fn backends(
    context: &Context<'_>,
    destinations: &[HttpDestination],
    field: &str,
    problems: &mut Problems,
) -> Result<Vec<l7::WeightedBackend>, Reported> {
    let effect = Effect::RuleFails(NO_BACKEND);
    let (mut backends, mut shares) = (Vec::new(), Vec::new());
    for (i, given) in destinations.iter().enumerate() {
        let field = format!("{field}[{i}]");
        let path = |name: &str| format!("{field}.{name}");
        given.unknown.report(&Place { field: &field, effect }, problems)?;
        let weight = given.weight.try_get(&Place { field: &path("weight"), effect }, problems)?;
        shares.push(weight.copied().unwrap_or_default());
        let headers = operations(&given.headers, &given.old, &field, problems)?;
        let destination =
            given.destination.try_get(&Place { field: &path("destination"), effect }, problems)?;
        let target =
            target(context, &destination.cloned().unwrap_or_default(), &path("destination"), problems);
        backends.push(l7::WeightedBackend {
            target: Some(target),
            request_headers: headers.request,
            response_headers: headers.response,
            ..l7::WeightedBackend::default()
        });
    }
    let shares = weights(&shares).map_err(|message| {
        problems.add(field, Reason::Invalid, effect, message);
        Reported
    })?;
    backends.iter_mut().zip(shares).for_each(|(backend, weight)| backend.weight = weight);
    Ok(backends)
}
