//! Conditions on headers and parameters, which both kinds of route have.

use weir_proto::l7::{self, string_match::Kind};

use super::spec::NamedMatch;
use crate::problem::quoted;
use crate::value::{HeaderName, Regex};

/// A field, and what is wrong there.
pub(super) type Wrong = (String, String);

/// Of several with one name the first counts.
pub(super) fn headers(given: &[NamedMatch]) -> Result<Vec<l7::HeaderMatch>, Wrong> {
    let mut headers: Vec<l7::HeaderMatch> = Vec::new();
    for (i, one) in given.iter().enumerate() {
        let wrong = |part: &str, message| (format!(".headers[{i}]{part}"), message);
        let name = HeaderName::try_from(one.name.clone()).map_err(|message| wrong(".name", message))?;
        if name.0.starts_with(':') {
            return Err(wrong(".name", format!("{} is no header", quoted(&one.name))));
        }
        let value = value(one).map_err(|(part, message)| wrong(part, message))?;
        if !headers.iter().any(|other| other.name == name.0) {
            headers.push(l7::HeaderMatch { name: name.0, value: Some(value), invert: false });
        }
    }
    Ok(headers)
}

/// Of several with one name the first counts.
pub(super) fn query(given: &[NamedMatch]) -> Result<Vec<l7::QueryMatch>, Wrong> {
    let mut query: Vec<l7::QueryMatch> = Vec::new();
    for (i, one) in given.iter().enumerate() {
        let wrong = |part: &str, message| (format!(".queryParams[{i}]{part}"), message);
        if one.name.is_empty() {
            return Err(wrong(".name", "is missing".to_owned()));
        }
        let value = value(one).map_err(|(part, message)| wrong(part, message))?;
        if !query.iter().any(|other| other.name == one.name) {
            query.push(l7::QueryMatch { name: one.name.clone(), value: Some(value) });
        }
    }
    Ok(query)
}

fn value(one: &NamedMatch) -> Result<l7::StringMatch, (&'static str, String)> {
    let kind = match one.kind.as_deref() {
        None | Some("Exact") => Kind::Exact(one.value.clone()),
        Some("RegularExpression") => Kind::Regex(regex(&one.value).map_err(|message| (".value", message))?),
        Some(other) => {
            return Err((".type", format!("{} is neither Exact nor RegularExpression", quoted(other))));
        }
    };
    Ok(l7::StringMatch { kind: Some(kind), ignore_case: false })
}

pub(super) fn regex(text: &str) -> Result<String, String> {
    Regex::try_from(text.to_owned()).map(|regex| regex.0)
}
