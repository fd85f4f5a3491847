//! Filters of rules and of backends.

use weir_proto::l7;

use super::cors::cors;
use super::spec::{BackendRef, Filter, Fraction, MirrorFilter};
use super::{Context, headers, redirect};
use crate::part::{Part, Place, Reported};
use crate::problem::{Effect, Problems, Reason, quoted};

/// What the filters of one list do together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Filters {
    pub(super) request: Option<l7::HeaderOperations>,
    pub(super) response: Option<l7::HeaderOperations>,
    pub(super) redirect: Option<l7::Redirect>,
    pub(super) rewrite: Option<l7::Rewrite>,
    pub(super) mirrors: Vec<l7::Mirror>,
    pub(super) cors: Option<l7::Cors>,
}

/// Where a list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Rule,
    Backend,
}

/// All of a list, or none of it: a filter that were passed over would let requests through as they must not be.
/// `prefixes`: whether all matches of the rule are by prefix.
pub(super) fn filters(
    context: &Context<'_>,
    parts: &Part<Vec<Part<Filter>>>,
    level: Level,
    prefixes: bool,
    field: &str,
    problems: &mut Problems,
) -> Result<Filters, Reported> {
    let effect = match level {
        Level::Rule => Effect::RuleFails(context.error()),
        Level::Backend => Effect::ShareFails(context.error()),
    };
    let mut list = List { context, level, prefixes, effect, filters: Filters::default() };
    let parts = parts.try_get(&Place { field, effect }, problems)?;
    let mut sound = Ok(());
    for (i, part) in parts.into_iter().flatten().enumerate() {
        let field = format!("{field}[{i}]");
        let one = part.try_get(&Place { field: &field, effect }, problems);
        let one = one.and_then(|filter| match filter {
            Some(filter) => list.add(filter, &field, problems).map_err(|(part, reason, message)| {
                problems.add(format!("{field}{part}"), reason, effect, message);
                Reported
            }),
            None => Ok(()),
        });
        sound = sound.and(one);
    }
    sound.map(|()| list.filters)
}

pub(super) type Wrong = (&'static str, Reason, String);

struct List<'a> {
    context: &'a Context<'a>,
    level: Level,
    prefixes: bool,
    effect: Effect,
    filters: Filters,
}

impl List<'_> {
    fn add(&mut self, filter: &Filter, field: &str, problems: &mut Problems) -> Result<(), Wrong> {
        let is_grpc = self.context.route.object.kind == crate::Kind::GrpcRoute;
        let is_rule = self.level == Level::Rule;
        let missing = |part: &'static str| (part, Reason::UnsupportedValue, "is missing".to_owned());
        match filter.kind.as_str() {
            "RequestHeaderModifier" => {
                let given =
                    filter.request_header_modifier.as_ref().ok_or(missing(".requestHeaderModifier"))?;
                let operations = headers::operations(given, true)
                    .map_err(|message| (".requestHeaderModifier", Reason::UnsupportedValue, message))?;
                once(&mut self.filters.request, operations)
            }
            "ResponseHeaderModifier" => {
                let given =
                    filter.response_header_modifier.as_ref().ok_or(missing(".responseHeaderModifier"))?;
                let operations = headers::operations(given, false)
                    .map_err(|message| (".responseHeaderModifier", Reason::UnsupportedValue, message))?;
                once(&mut self.filters.response, operations)
            }
            "RequestMirror" => {
                let given = filter.request_mirror.as_ref().ok_or(missing(".requestMirror"))?;
                self.mirror(given, &format!("{field}.requestMirror"), problems)
            }
            "RequestRedirect" if is_rule && !is_grpc => {
                let given = filter.request_redirect.as_ref().ok_or(missing(".requestRedirect"))?;
                let redirect = redirect::redirect(self.context, given, self.prefixes)?;
                once(&mut self.filters.redirect, redirect)?;
                self.exclusive()
            }
            "URLRewrite" if !is_grpc => {
                let given = filter.url_rewrite.as_ref().ok_or(missing(".urlRewrite"))?;
                once(&mut self.filters.rewrite, redirect::rewrite(given, self.prefixes)?)?;
                self.exclusive()
            }
            "CORS" if is_rule && !is_grpc => {
                let given = filter.cors.as_ref().ok_or(missing(".cors"))?;
                once(&mut self.filters.cors, cors(given)?)
            }
            "ExtensionRef" => {
                let named = filter.extension_ref.as_ref();
                let named = named.map_or("/".to_owned(), |to| format!("{}/{}", to.group, to.kind));
                let message = format!("{} is no filter that is known here", quoted(&named));
                Err((".extensionRef", Reason::InvalidKind, message))
            }
            "ExternalAuth" if !is_grpc => {
                let message = "external authorization is not there yet".to_owned();
                Err((".type", Reason::UnsupportedValue, message))
            }
            other => {
                let place = if is_rule { "a rule" } else { "a backend" };
                let kind = self.context.route.object.kind.name();
                let message = format!("{} is no filter of {place} of {kind}s", quoted(other));
                Err((".type", Reason::UnsupportedValue, message))
            }
        }
    }

    fn exclusive(&self) -> Result<(), Wrong> {
        match self.filters.redirect.is_some() && self.filters.rewrite.is_some() {
            true => Err((
                "",
                Reason::IncompatibleFilters,
                "RequestRedirect and URLRewrite exclude each other".to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// Copies that cannot be sent are not sent; the request itself is not worse for it.
    fn mirror(&mut self, given: &MirrorFilter, field: &str, problems: &mut Problems) -> Result<(), Wrong> {
        let per_million =
            share(given).map_err(|message| (".requestMirror", Reason::UnsupportedValue, message))?;
        let BackendRef { weight, filters, unknown, .. } = &given.backend_ref;
        let field = format!("{field}.backendRef");
        unknown.report(&Place { field: &field, effect: self.effect }, problems).map_err(|Reported| {
            (
                ".requestMirror.backendRef",
                Reason::UnsupportedValue,
                "has fields that are not known".to_owned(),
            )
        })?;
        if weight.is_some() || filters.is_there() {
            problems.notice(&field, "a mirror has neither weight nor filters");
        }
        let backend =
            super::backend::reference(self.context, &given.backend_ref, &field, Effect::Ignored, problems);
        self.filters
            .mirrors
            .extend(backend.ok().map(|backend| l7::Mirror { backend: Some(backend), per_million }));
        Ok(())
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Wrong> {
    match place.replace(value) {
        Some(_) => Err((".type", Reason::IncompatibleFilters, "is there twice".to_owned())),
        None => Ok(()),
    }
}

fn share(given: &MirrorFilter) -> Result<u32, String> {
    let parts = match (given.percent, given.fraction) {
        (Some(_), Some(_)) => return Err("percent and fraction exclude each other".to_owned()),
        (None, None) => return Ok(MILLION),
        (Some(percent), None) => Fraction { numerator: percent, denominator: Some(100) },
        (None, Some(fraction)) => fraction,
    };
    let denominator = parts.denominator.unwrap_or(100);
    let wrong = || format!("{}/{denominator} is no share", parts.numerator);
    if denominator < 1 || !(0..=denominator).contains(&parts.numerator) {
        return Err(wrong());
    }
    let per_million = i128::from(parts.numerator) * i128::from(MILLION) / i128::from(denominator);
    u32::try_from(per_million).map_err(|_| wrong())
}

const MILLION: u32 = 1_000_000;
