//! Matches of GRPCRoutes: a method is a path.

use weir_proto::l7::{self, path_match::Kind};

use super::matching::{self, Wrong, regex};
use super::precedence::Rank;
use super::spec::{GrpcMatch, MethodMatch};
use crate::problem::quoted;

/// A match, and how it stands to others.
pub(super) fn form(given: &GrpcMatch) -> Result<(l7::Match, Rank), Wrong> {
    let headers = matching::headers(&given.headers)?;
    let empty = MethodMatch::default();
    let method = given.method.as_ref().unwrap_or(&empty);
    let kind = path(method).map_err(|(part, message)| (format!(".method{part}"), message))?;
    let length = |text: &Option<String>| text.as_deref().unwrap_or_default().chars().count();
    let rank = Rank::grpc(length(&method.service), length(&method.method), headers.len());
    let path = kind.map(|kind| l7::PathMatch { kind: Some(kind), ignore_case: false });
    Ok((l7::Match { path, headers, ..l7::Match::default() }, rank))
}

/// `None`: every method.
fn path(method: &MethodMatch) -> Result<Option<Kind>, (&'static str, String)> {
    let part = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (service, name) = (part(&method.service), part(&method.method));
    match method.kind.as_deref() {
        None | Some("Exact") => {
            for (field, part) in [(".service", &service), (".method", &name)] {
                if let Some(text) =
                    part.as_deref().filter(|text| text.contains('/') || text.contains(char::is_whitespace))
                {
                    return Err((field, format!("{} is no name of gRPC", quoted(text))));
                }
            }
            Ok(match (service, name) {
                (None, None) => None,
                (Some(service), Some(name)) => Some(Kind::Exact(format!("/{service}/{name}"))),
                (Some(service), None) => Some(Kind::Prefix(format!("/{service}/"))),
                (None, Some(name)) => Some(Kind::Regex(format!("/{ANY}/{}", regex::escape(&name)))),
            })
        }
        Some("RegularExpression") => {
            let checked = |field, part: Option<String>| match part {
                None => Ok(None),
                Some(text) => {
                    regex(&text).map(|text| Some(format!("(?:{text})"))).map_err(|message| (field, message))
                }
            };
            match (checked(".service", service)?, checked(".method", name)?) {
                (None, None) => Ok(None),
                (service, name) => {
                    let part = |text: Option<String>| text.unwrap_or_else(|| ANY.to_owned());
                    let whole = format!("/{}/{}", part(service), part(name));
                    Ok(Some(Kind::Regex(regex(&whole).map_err(|message| ("", message))?)))
                }
            }
        }
        Some(other) => Err((".type", format!("{} is neither Exact nor RegularExpression", quoted(other)))),
    }
}

const ANY: &str = "[^/]+";
