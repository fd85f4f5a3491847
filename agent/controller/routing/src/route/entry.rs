//! The matches of a route's rules, each for itself: precedence is between matches.

use weir_proto::l7;

use super::precedence::{Entry, Rank};
use super::rule::{Parts, rule};
use super::spec::{GrpcMatch, GrpcRule, HttpMatch, HttpRule};
use super::{Context, Rules, grpc, http};
use crate::part::{Part, Place};
use crate::problem::{Effect, Problems, Reason};

/// Everything that the route says at its parent.
pub(crate) fn entries(context: &Context<'_>, problems: &mut Problems) -> Vec<Entry> {
    let absent = (Part::Absent, Part::Absent);
    let mut entries = Vec::new();
    match &context.route.rules {
        Rules::Http(rules) => each(rules, problems, |given: &HttpRule, index, field, problems| {
            let HttpRule {
                name, filters, backend_refs, timeouts, retry, session_persistence, unknown, ..
            } = given;
            let prefixes = match &given.matches {
                Part::Read(list) => {
                    list.iter().all(|part| matches!(part, Part::Read(one) if http::is_prefix(one)))
                }
                _ => true,
            };
            let has_session = session_persistence.is_there();
            let parts =
                Parts { name, filters, backend_refs, timeouts, retry, has_session, unknown, prefixes };
            let rule = rule(context, &parts, index, field, problems);
            let matches = matches(&given.matches, &HttpMatch::default(), http::form, field, problems);
            entries.extend(with(context, rule, index, matches));
        }),
        Rules::Grpc(rules) => each(rules, problems, |given: &GrpcRule, index, field, problems| {
            let GrpcRule { name, filters, backend_refs, session_persistence, unknown, .. } = given;
            let (timeouts, retry) = (&absent.0, &absent.1);
            let has_session = session_persistence.is_there();
            let parts =
                Parts { name, filters, backend_refs, timeouts, retry, has_session, unknown, prefixes: false };
            let rule = rule(context, &parts, index, field, problems);
            let matches = matches(&given.matches, &GrpcMatch::default(), grpc::form, field, problems);
            entries.extend(with(context, rule, index, matches));
        }),
    }
    entries
}

fn each<R>(rules: &[Part<R>], problems: &mut Problems, mut then: impl FnMut(&R, usize, &str, &mut Problems)) {
    for (index, part) in rules.iter().enumerate() {
        let field = format!("spec.rules[{index}]");
        if let Some(rule) = part.get(&Place { field: &field, effect: Effect::RuleLeftOut }, problems) {
            then(rule, index, &field, problems);
        }
    }
}

/// The matches of a rule; none if one of them cannot be read, because then the rule is not there.
fn matches<M>(
    parts: &Part<Vec<Part<M>>>,
    every: &M,
    form: impl Fn(&M) -> Result<(l7::Match, Rank), (String, String)>,
    rule: &str,
    problems: &mut Problems,
) -> Vec<(l7::Match, Rank)> {
    let effect = Effect::RuleLeftOut;
    let field = format!("{rule}.matches");
    let Ok(parts) = parts.try_get(&Place { field: &field, effect }, problems) else { return Vec::new() };
    let list = parts.map_or(&[][..], Vec::as_slice);
    let mut forms = Vec::new();
    for (i, part) in list.iter().enumerate() {
        let field = format!("{field}[{i}]");
        let Ok(given) = part.try_get(&Place { field: &field, effect }, problems) else { continue };
        match form(given.unwrap_or(every)) {
            Ok(made) => forms.push(made),
            Err((part, message)) => {
                problems.add(format!("{field}{part}"), Reason::UnsupportedValue, effect, message);
            }
        }
    }
    if list.is_empty() {
        forms.extend(form(every).ok());
    }
    if forms.len() < list.len() { Vec::new() } else { forms }
}

fn with(context: &Context<'_>, rule: l7::Rule, index: usize, matches: Vec<(l7::Match, Rank)>) -> Vec<Entry> {
    let entry = |(i, (form, rank)): (usize, (l7::Match, Rank))| Entry {
        rank,
        meta: context.route.meta.clone(),
        place: (index, i),
        form,
        rule: rule.clone(),
    };
    matches.into_iter().enumerate().map(entry).collect()
}
