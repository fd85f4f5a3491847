//! What a rule of a route does.

use weir_proto::l7::{self, rule::Action};

use super::spec::{BackendRef, Filter, Retry, Timeouts};
use super::{Context, backend, filter, policy};
use crate::part::{Part, Place, Reported, Unknown};
use crate::problem::{Effect, Problems, Reason};

/// What rules of both kinds have.
pub(super) struct Parts<'a> {
    pub(super) name: &'a Part<String>,
    pub(super) filters: &'a Part<Vec<Part<Filter>>>,
    pub(super) backend_refs: &'a Part<Vec<Part<BackendRef>>>,
    pub(super) timeouts: &'a Part<Timeouts>,
    pub(super) retry: &'a Part<Retry>,
    pub(super) has_session: bool,
    pub(super) unknown: &'a Unknown,
    /// All matches are by prefix.
    pub(super) prefixes: bool,
}

/// The rule without its matches. One that cannot be done as it is written answers with an error.
pub(super) fn rule(
    context: &Context<'_>,
    parts: &Parts<'_>,
    index: usize,
    field: &str,
    problems: &mut Problems,
) -> l7::Rule {
    let name = name(context, parts, index, field, problems);
    let rule = action(context, parts, field, problems).unwrap_or_else(|Reported| {
        let response = l7::DirectResponse { status: context.error().into(), body: Vec::new() };
        l7::Rule { action: Some(Action::DirectResponse(response)), ..l7::Rule::default() }
    });
    l7::Rule { name, ..rule }
}

fn name(
    context: &Context<'_>,
    parts: &Parts<'_>,
    index: usize,
    field: &str,
    problems: &mut Problems,
) -> String {
    let place = format!("{field}.name");
    let given = parts.name.get(&Place { field: &place, effect: Effect::Ignored }, problems);
    match given.filter(|name| !name.is_empty()) {
        Some(name) => format!("{}/{name}", context.route.object),
        None => format!("{}/{index}", context.route.object),
    }
}

fn action(
    context: &Context<'_>,
    parts: &Parts<'_>,
    field: &str,
    problems: &mut Problems,
) -> Result<l7::Rule, Reported> {
    let effect = Effect::RuleFails(context.error());
    let path = |name: &str| format!("{field}.{name}");
    let unknown = parts.unknown.report(&Place { field, effect }, problems);
    if parts.has_session {
        let message = "sessions are not kept; a DestinationRule with consistentHash does so";
        problems.add(path("sessionPersistence"), Reason::UnsupportedValue, Effect::Ignored, message);
    }
    let filters = filter::filters(
        context,
        parts.filters,
        filter::Level::Rule,
        parts.prefixes,
        &path("filters"),
        problems,
    );
    let refs = parts.backend_refs.try_get(&Place { field: &path("backendRefs"), effect }, problems);
    let refs = refs.map(|refs| refs.map_or(&[][..], Vec::as_slice));
    let backends =
        refs.map(|refs| backend::backends(context, refs, parts.prefixes, &path("backendRefs"), problems));
    let [timeout, try_timeout] = policy::timeouts(parts.timeouts, &path("timeouts"), problems);
    let retry = policy::retry(parts.retry, &path("retry"), problems);
    unknown?;
    let (filters, backends) = (filters?, backends?);
    if filters.redirect.is_some() && !backends.is_empty() {
        let message = "RequestRedirect and backendRefs exclude each other";
        problems.add(path("backendRefs"), Reason::IncompatibleFilters, effect, message);
        return Err(Reported);
    }
    if filters.redirect.is_none() && backends.is_empty() {
        let message = format!("is missing: what matches the rule is answered with {}", context.error());
        problems.notice(path("backendRefs"), message);
    }
    let action = match filters.redirect {
        Some(redirect) => Action::Redirect(redirect),
        None => Action::Forward(l7::Forward {
            backends,
            rewrite: filters.rewrite,
            timeout,
            try_timeout,
            retry: retry.or_else(|| context.mesh.default_retry.clone()),
            mirrors: filters.mirrors,
            no_backend_status: context.error().into(),
        }),
    };
    Ok(l7::Rule {
        action: Some(action),
        request_headers: filters.request,
        response_headers: filters.response,
        cors: filters.cors,
        ..l7::Rule::default()
    })
}
