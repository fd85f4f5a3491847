//! Matches of HTTPRoutes.

use weir_proto::l7::{self, path_match::Kind, string_match};

use super::matching::{self, Wrong, regex};
use super::precedence::Rank;
use super::spec::{HttpMatch, ValueMatch};
use crate::problem::quoted;

/// A match, and how it stands to others.
pub(super) fn form(given: &HttpMatch) -> Result<(l7::Match, Rank), Wrong> {
    let headers = matching::headers(&given.headers)?;
    let query = matching::query(&given.query_params)?;
    let (path, class, length) =
        path(given.path.as_ref()).map_err(|(part, message)| (format!(".path{part}"), message))?;
    let method = given.method.as_deref().map(method).transpose();
    let method = method.map_err(|message| (".method".to_owned(), message))?;
    let rank = Rank::http(class, length, method.is_some(), headers.len(), query.len());
    let path = Some(l7::PathMatch { kind: Some(path), ignore_case: false });
    Ok((l7::Match { path, method, headers, query, ..l7::Match::default() }, rank))
}

/// Whether its path is a prefix.
pub(super) fn is_prefix(given: &HttpMatch) -> bool {
    let kind = given.path.as_ref().and_then(|path| path.kind.as_deref());
    matches!(kind, None | Some("PathPrefix"))
}

/// Exact comes before expressions, and these before prefixes, all of which would otherwise hide behind `/`.
fn path(given: Option<&ValueMatch>) -> Result<(Kind, u8, usize), (&'static str, String)> {
    let (kind, value) = match given {
        None => ("PathPrefix", "/"),
        Some(given) => (given.kind.as_deref().unwrap_or("PathPrefix"), given.value.as_deref().unwrap_or("/")),
    };
    let length = value.chars().count();
    match kind {
        "Exact" => Ok((Kind::Exact(checked(value)?), 2, length)),
        "RegularExpression" => {
            Ok((Kind::Regex(regex(value).map_err(|message| (".value", message))?), 1, length))
        }
        "PathPrefix" => {
            let path = checked(value)?;
            // /foo/ is /foo.
            let path =
                path.strip_suffix('/').filter(|path| !path.is_empty()).map_or(path.clone(), str::to_owned);
            Ok((Kind::Segments(path), 0, length))
        }
        other => {
            let message = format!("{} is none of Exact, PathPrefix and RegularExpression", quoted(other));
            Err((".type", message))
        }
    }
}

fn checked(path: &str) -> Result<String, (&'static str, String)> {
    let wrong = |message: &str| Err((".value", format!("{} {message}", quoted(path))));
    if !path.starts_with('/') {
        return wrong("does not begin with /");
    }
    if let Some(bad) = NEVER.into_iter().find(|bad| path.contains(bad)) {
        return wrong(&format!("has {bad}, which no request has"));
    }
    if path.ends_with("/..") || path.ends_with("/.") {
        return wrong("ends with dots");
    }
    Ok(path.to_owned())
}

fn method(text: &str) -> Result<l7::StringMatch, String> {
    match METHODS.contains(&text) {
        true => {
            Ok(l7::StringMatch { kind: Some(string_match::Kind::Exact(text.to_owned())), ignore_case: false })
        }
        false => Err(format!("{} is none of {}", quoted(text), METHODS.join(", "))),
    }
}

const NEVER: [&str; 6] = ["//", "/./", "/../", "%2f", "%2F", "#"];
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
