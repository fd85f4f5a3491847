//! The http routes of a VirtualService, at one port.

use weir_proto::l7::{self, path_match, rewrite, rule::Action};

use super::action;
use super::delegate;
use super::destination::NO_BACKEND;
use super::matching::matches;
use super::shell::Shell;
use super::spec::HttpRoute;
use super::{Context, VirtualService};
use crate::part::{Part, Place, Reported};
use crate::problem::{Effect, Problems, Reason};

/// Rules in the order in which they are tried.
pub(crate) struct HttpRules(pub(crate) Vec<l7::Rule>);

impl HttpRules {
    pub(crate) fn of(context: &Context<'_>, problems: &mut Problems) -> Self {
        let (mut rules, mut all_caught): (Vec<l7::Rule>, Option<usize>) = (Vec::new(), None);
        for (i, part) in context.virtual_service.http.iter().enumerate() {
            let field = format!("spec.http[{i}]");
            if let (Some(by), true) = (all_caught, context.own.is_none()) {
                problems.notice(&field, format!("is never reached: spec.http[{by}] matches everything"));
            }
            // Such a rule has no matches that could be kept.
            let place = Place { field: &field, effect: Effect::RuleLeftOut };
            let Some(route) = part.get(&place, problems) else { continue };
            let made = rules_of(context, route, i, &field, problems).unwrap_or_default();
            if made.iter().any(is_catch_all) {
                all_caught = all_caught.or(Some(i));
            }
            rules.extend(made);
        }
        Self(rules)
    }
}

/// Whether it takes every request.
pub(crate) fn is_catch_all(rule: &l7::Rule) -> bool {
    let any_path = |path: &Option<l7::PathMatch>| match path.as_ref().and_then(|path| path.kind.as_ref()) {
        None => true,
        Some(path_match::Kind::Prefix(text) | path_match::Kind::Segments(text)) => text == "/",
        Some(path_match::Kind::Exact(_) | path_match::Kind::Regex(_)) => false,
    };
    let any = |one: &l7::Match| {
        any_path(&one.path)
            && l7::Match { name: String::new(), path: None, ..one.clone() } == l7::Match::default()
    };
    rule.matches.is_empty() || rule.matches.iter().any(any)
}

/// One rule, or those that a delegate has in its place; none if nothing of it can match here.
fn rules_of(
    context: &Context<'_>,
    route: &HttpRoute,
    index: usize,
    field: &str,
    problems: &mut Problems,
) -> Result<Vec<l7::Rule>, Reported> {
    let matches = matches(context, &route.matches, field, problems);
    let shell = Shell::read(context, route, field, problems);
    let name = name(context.virtual_service, route, index);
    if route.delegate.is_there() {
        let Some(matches) = matches? else { return Ok(Vec::new()) };
        let parent = delegate::Parent { matches, shell, name, field: field.to_owned() };
        return Ok(delegate::rules(context, route, parent, problems));
    }
    // Also of a rule that matches nothing its author wants to hear everything.
    let rule = action::rule(context, route, shell, field, problems);
    let Some(matches) = matches? else { return Ok(Vec::new()) };
    Ok(vec![finish(rule, name, matches)])
}

/// With its name and its matches.
pub(super) fn finish(rule: l7::Rule, name: String, mut matches: Vec<l7::Match>) -> l7::Rule {
    let replaces_prefix = match &rule.action {
        Some(Action::Forward(forward)) => {
            matches!(&forward.rewrite, Some(l7::Rewrite { path: Some(rewrite::Path::Prefix(_)), .. }))
        }
        Some(Action::Redirect(redirect)) => matches!(redirect.path, Some(l7::redirect::Path::Prefix(_))),
        _ => false,
    };
    if replaces_prefix {
        // What takes the place of a prefix needs one; Istio's is the slash.
        if matches.is_empty() {
            matches.push(l7::Match::default());
        }
        let slash =
            || l7::PathMatch { kind: Some(path_match::Kind::Prefix("/".to_owned())), ignore_case: false };
        matches.iter_mut().for_each(|one| _ = one.path.get_or_insert_with(slash));
    }
    l7::Rule { name, matches, ..rule }
}

/// For logs: which resource, and which of its rules.
pub(super) fn name(service: &VirtualService, route: &HttpRoute, index: usize) -> String {
    match &route.name {
        Part::Read(name) if !name.is_empty() => format!("{}/{name}", service.object),
        _ => format!("{}/{index}", service.object),
    }
}

/// A rule of these matches that answers with an error.
pub(super) fn failing(name: String, matches: Vec<l7::Match>) -> l7::Rule {
    let response = l7::DirectResponse { status: NO_BACKEND.into(), body: Vec::new() };
    l7::Rule { name, matches, action: Some(Action::DirectResponse(response)), ..l7::Rule::default() }
}

/// Says that a delegating rule cannot be done.
pub(super) fn fails(field: &str, reason: Reason, message: String, problems: &mut Problems) {
    problems.add(field, reason, Effect::RuleFails(NO_BACKEND), message);
}
