//! The words of the form, read one after the other: what the table is held against. Nothing of it is shared with the
//! program.

use std::collections::BTreeMap;

use l7::{path_match::Kind as Path, string_match::Kind as Text};
use regex::Regex;
use weir_proto::l7;

#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) namespace: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
}

pub(super) fn first(rules: &[l7::Rule], request: &Request) -> Option<usize> {
    let holds =
        |rule: &l7::Rule| rule.matches.is_empty() || rule.matches.iter().any(|wanted| all(wanted, request));
    rules.iter().position(holds)
}

fn all(wanted: &l7::Match, request: &Request) -> bool {
    wanted.path.as_ref().is_none_or(|wanted| path(wanted, &request.path))
        && wanted.method.as_ref().is_none_or(|wanted| text(wanted, &request.method))
        && wanted.authority.as_ref().is_none_or(|wanted| text(wanted, &request.authority))
        && wanted.headers.iter().all(|wanted| header(wanted, request))
        && wanted.query.iter().all(|wanted| query(wanted, request))
        && wanted.source.as_ref().is_none_or(|wanted| source(wanted, request))
}

fn path(wanted: &l7::PathMatch, path: &str) -> bool {
    let fold = |text: &str| if wanted.ignore_case { text.to_lowercase() } else { text.to_owned() };
    match wanted.kind.as_ref().unwrap() {
        Path::Exact(exact) => fold(exact) == fold(path),
        Path::Prefix(prefix) => fold(path).starts_with(&fold(prefix)),
        Path::Segments(prefix) => {
            let prefix = fold(prefix.strip_suffix('/').unwrap_or(prefix));
            fold(path) == prefix || fold(path).starts_with(&(prefix + "/"))
        }
        Path::Regex(regex) => whole(regex, path),
    }
}

fn text(wanted: &l7::StringMatch, value: &str) -> bool {
    let fold = |text: &str| if wanted.ignore_case { text.to_lowercase() } else { text.to_owned() };
    match wanted.kind.as_ref().unwrap() {
        Text::Exact(exact) => fold(exact) == fold(value),
        Text::Prefix(prefix) => fold(value).starts_with(&fold(prefix)),
        Text::Suffix(suffix) => fold(value).ends_with(&fold(suffix)),
        Text::Regex(regex) if wanted.ignore_case => whole(&format!("(?i){regex}"), value),
        Text::Regex(regex) => whole(regex, value),
        Text::Present(_) => true,
    }
}

fn whole(regex: &str, value: &str) -> bool {
    Regex::new(&format!("^(?:{regex})$")).unwrap().is_match(value)
}

fn header(wanted: &l7::HeaderMatch, request: &Request) -> bool {
    let values: Vec<_> = request.headers.iter().filter(|(name, _)| *name == wanted.name).collect();
    let joined = values.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(",");
    (!values.is_empty() && text(wanted.value.as_ref().unwrap(), &joined)) != wanted.invert
}

fn query(wanted: &l7::QueryMatch, request: &Request) -> bool {
    let mut pairs = request.query.iter().flat_map(|query| query.split('&'));
    let value = pairs.find_map(|pair| match pair.split_once('=') {
        Some((name, value)) => (name == wanted.name).then_some(value),
        None => (pair == wanted.name).then_some(""),
    });
    value.is_some_and(|value| text(wanted.value.as_ref().unwrap(), &value.replace("%61", "a")))
}

fn source(wanted: &l7::Source, request: &Request) -> bool {
    let namespace = wanted.namespace.is_empty() || request.namespace.as_ref() == Some(&wanted.namespace);
    namespace && wanted.labels.iter().all(|(name, value)| request.labels.get(name) == Some(value))
}
