//! Match blocks of http routes.

use std::collections::BTreeMap;

use weir_proto::l7::{self, path_match, string_match::Kind};

use super::Context;
use super::spec::HttpMatch;
use crate::part::{Part, Place, Reported};
use crate::problem::{Effect, Problems, Reason, quoted};
use crate::value::{HeaderName, StringMatch};

/// The blocks of a rule that can hold at the port, one of which is enough. Empty: everything matches. `None`: none of them
/// can hold here. A block that cannot be read takes its rule with it: without it the rule would be another.
pub(super) fn matches(
    context: &Context<'_>,
    blocks: &Part<Vec<Part<HttpMatch>>>,
    rule: &str,
    problems: &mut Problems,
) -> Result<Option<Vec<l7::Match>>, Reported> {
    let effect = Effect::RuleLeftOut;
    let field = format!("{rule}.match");
    let Some(blocks) = blocks.try_get(&Place { field: &field, effect }, problems)? else {
        return Ok(Some(Vec::new()));
    };
    let (mut forms, mut wrong) = (Vec::new(), false);
    for (i, part) in blocks.iter().enumerate() {
        let field = format!("{field}[{i}]");
        let read = part.try_get(&Place { field: &field, effect }, problems);
        let form = read.and_then(|block| match block {
            Some(block) if Context::is_mesh(&block.gateways) && context.is_port(block.port) => {
                form(block, &field, problems).map(Some)
            }
            Some(_) => Ok(None),
            // Null: no condition.
            None => Ok(Some(l7::Match::default())),
        });
        match form {
            Ok(form) => forms.extend(form),
            Err(Reported) => wrong = true,
        }
    }
    match wrong {
        true => Err(Reported),
        false if forms.is_empty() && !blocks.is_empty() => Ok(None),
        false => Ok(Some(forms)),
    }
}

fn form(block: &HttpMatch, field: &str, problems: &mut Problems) -> Result<l7::Match, Reported> {
    let mut form = l7::Match {
        name: block.name.clone(),
        path: path(&block.uri, block.ignore_uri_case),
        method: block.method.form(),
        scheme: block.scheme.form(),
        authority: block.authority.form(),
        ..l7::Match::default()
    };
    form.headers = headers(&block.headers, &format!("{field}.headers"), Some(&mut form), problems)?;
    let without = headers(&block.without_headers, &format!("{field}.withoutHeaders"), None, problems)?;
    form.headers.extend(without.into_iter().map(|header| l7::HeaderMatch { invert: true, ..header }));
    form.query = block.query_params.iter().map(|(name, value)| query(name, value)).collect();
    form.source = source(&block.source_namespace, &block.source_labels);
    if !block.stat_prefix.is_empty() {
        let message = "Envoy's statistics of routes are not kept";
        problems.add(format!("{field}.statPrefix"), Reason::UnsupportedValue, Effect::Ignored, message);
    }
    if block.ignore_uri_case && matches!(block.uri.0, Some(Kind::Regex(_))) {
        problems.notice(format!("{field}.ignoreUriCase"), "says nothing about a regex; write (?i) into it");
    }
    Ok(form)
}

/// A client, or `None` for any.
pub(super) fn source(namespace: &str, labels: &BTreeMap<String, String>) -> Option<l7::Source> {
    let source = l7::Source {
        namespace: namespace.to_owned(),
        labels: labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
    };
    (source != l7::Source::default()).then_some(source)
}

fn path(uri: &StringMatch, ignore_case: bool) -> Option<l7::PathMatch> {
    let (kind, ignore_case) = match uri.0.clone()? {
        Kind::Exact(text) => (path_match::Kind::Exact(text), ignore_case),
        Kind::Prefix(text) if text.is_empty() => return None,
        Kind::Prefix(text) => (path_match::Kind::Prefix(text), ignore_case),
        Kind::Regex(text) => (path_match::Kind::Regex(text), false),
        Kind::Suffix(_) | Kind::Present(_) => return None,
    };
    Some(l7::PathMatch { kind: Some(kind), ignore_case })
}

/// A parameter without a value (`?key`) is one with an empty value.
fn query(name: &str, value: &StringMatch) -> l7::QueryMatch {
    let value = match &value.0 {
        Some(Kind::Exact(text)) if text.is_empty() => {
            l7::StringMatch { kind: Some(Kind::Exact(String::new())), ignore_case: false }
        }
        _ => value.form_or_present(),
    };
    l7::QueryMatch { name: name.to_owned(), value: Some(value) }
}

/// `pseudo`: where the conditions of `:method` and its like go, if they may be there.
fn headers(
    conditions: &BTreeMap<String, StringMatch>,
    field: &str,
    mut pseudo: Option<&mut l7::Match>,
    problems: &mut Problems,
) -> Result<Vec<l7::HeaderMatch>, Reported> {
    let mut headers = Vec::new();
    let wrong = |name: &str, reason, message: String, problems: &mut Problems| {
        let name = quoted(name);
        problems.add(format!("{field}[{}]", name.trim_matches('"')), reason, Effect::RuleLeftOut, message);
        Reported
    };
    for (written, value) in conditions {
        if written.starts_with("@request.auth.") {
            let message = "routes by claims of a token need JWT, which is not there yet".to_owned();
            return Err(wrong(written, Reason::UnsupportedValue, message, problems));
        }
        if PASSED_OVER.contains(&written.as_str()) {
            let message = "is passed over, as Istio does: the match has a field of its own for it";
            problems.add(format!("{field}.{written}"), Reason::UnsupportedValue, Effect::Ignored, message);
            continue;
        }
        let name = HeaderName::try_from(written.clone())
            .map_err(|message| wrong(written, Reason::Invalid, message, problems))?;
        let place = match (name.0.as_str(), pseudo.as_deref_mut()) {
            (":authority", Some(form)) => Some(&mut form.authority),
            (":method", Some(form)) => Some(&mut form.method),
            (":scheme", Some(form)) => Some(&mut form.scheme),
            (name, _) if name.starts_with(':') => {
                let message = format!("{name} is no header; the match has fields of its own for it");
                return Err(wrong(written, Reason::UnsupportedValue, message, problems));
            }
            _ => None,
        };
        match place {
            None => headers.push(l7::HeaderMatch {
                name: name.0,
                value: Some(value.form_or_present()),
                invert: false,
            }),
            Some(place) if place.is_none() => *place = value.form(),
            Some(_) => return Err(wrong(written, Reason::Invalid, "is said twice".to_owned(), problems)),
        }
    }
    Ok(headers)
}

/// Names that Istio keeps for fields of the match.
const PASSED_OVER: [&str; 4] = ["uri", "scheme", "method", "authority"];
