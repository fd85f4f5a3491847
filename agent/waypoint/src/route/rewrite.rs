//! Another path or host for requests that go on.

use http::{
    Uri,
    request::Parts,
    uri::{Authority, PathAndQuery},
};
use regex::bytes::{Captures, Regex};
use weir_proto::l7;

use super::{
    headers::{authority, set_authority},
    pattern::{Extent, pattern},
    predicate::PathMatched,
    rejection::{Reason, Rejection, Within as _},
};

/// What becomes of a request's host and path.
#[derive(Debug, Clone)]
pub struct Rewrite {
    authority: Option<Authority>,
    path: Option<Path>,
}

/// The new target would be none, or too long: an answer of 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rewritten path is not a valid one")]
pub struct BadRewrite;

#[derive(Debug, Clone)]
enum Path {
    Prefix(Box<str>),
    Full(Box<str>),
    Regex(Regex, Vec<Piece>),
}

/// Of a substitution.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Box<[u8]>),
    Group(usize),
}

impl Rewrite {
    pub(crate) fn compile(form: &l7::Rewrite) -> Result<Rewrite, Rejection> {
        use l7::rewrite::Path as Form;
        let path = match &form.path {
            None => None,
            Some(Form::Prefix(prefix)) => Some(Path::Prefix(part(prefix).within("prefix")?)),
            Some(Form::Full(full)) => Some(Path::Full(part(full).within("full")?)),
            Some(Form::Regex(form)) => Some(Path::regex(form).within("regex")?),
        };
        let authority = Some(form.authority.as_str()).filter(|text| !text.is_empty());
        Ok(Rewrite { authority: authority.map(self::authority).transpose().within("authority")?, path })
    }

    /// Changes a request whose path was matched so.
    pub fn change(&self, parts: &mut Parts, matched: PathMatched) -> Result<(), BadRewrite> {
        if let Some(authority) = &self.authority {
            set_authority(parts, authority);
        }
        match &self.path {
            // CONNECT has no path, and gets none.
            Some(path) if parts.uri.path_and_query().is_some() => path.change(parts, matched),
            _ => Ok(()),
        }
    }
}

impl Path {
    fn regex(form: &l7::RegexRewrite) -> Result<Path, Rejection> {
        let regex = pattern(&form.pattern, Extent::Part, false).within("pattern")?;
        let pieces = pieces(&form.substitution, regex.captures_len()).within("substitution")?;
        Ok(Path::Regex(regex, pieces))
    }

    fn change(&self, parts: &mut Parts, matched: PathMatched) -> Result<(), BadRewrite> {
        let path = parts.uri.path();
        let path = match self {
            Path::Prefix(prefix) => replace_prefix(path, matched, prefix).into_bytes(),
            Path::Full(full) => full.as_bytes().to_vec(),
            Path::Regex(regex, pieces) => {
                let replacement = |captures: &Captures<'_>| substitute(pieces, captures);
                regex.replace_all(path.as_bytes(), replacement).into_owned()
            }
        };
        let target = target(path, parts.uri.query());
        let mut uri = parts.uri.clone().into_parts();
        uri.path_and_query = Some(PathAndQuery::try_from(target).map_err(|_| BadRewrite)?);
        parts.uri = Uri::from_parts(uri).map_err(|_| BadRewrite)?;
        Ok(())
    }
}

/// The path with another beginning.
pub(crate) fn replace_prefix(path: &str, matched: PathMatched, replacement: &str) -> String {
    let (replacement, from) = match matched {
        PathMatched::Whole => (replacement, path.len()),
        // As VirtualService's prefix `/`, which is what a route without a match is.
        PathMatched::Any => (replacement, 1),
        PathMatched::Prefix(length) => (replacement, length),
        // The Gateway API's `/`: nothing follows it in `/`, and all of the path in others.
        PathMatched::Segments(0) if path == "/" => (replacement, 1),
        PathMatched::Segments(length) => (replacement.trim_end_matches('/'), length),
    };
    format!("{replacement}{}", path.get(from..).unwrap_or_default())
}

/// A path, which may bring a query of its own, and the query of the request.
pub(crate) fn target(mut path: Vec<u8>, query: Option<&str>) -> Vec<u8> {
    if path.first() != Some(&b'/') {
        path.insert(0, b'/');
    }
    if let Some(query) = query {
        path.push(if path.contains(&b'?') { b'&' } else { b'?' });
        path.extend_from_slice(query.as_bytes());
    }
    path
}

/// A piece of a path of the form.
pub(crate) fn part(text: &str) -> Result<Box<str>, Rejection> {
    let valid = PathAndQuery::try_from(format!("/{text}")).is_ok() && !text.contains('#');
    if valid { Ok(text.into()) } else { Err(Reason::NotHttp(text.to_owned()).into()) }
}

/// Reads RE2's notation: `\0` to `\9`, and `\\` for a backslash.
fn pieces(text: &str, groups: usize) -> Result<Vec<Piece>, Rejection> {
    let (mut pieces, mut literal) = (Vec::new(), Vec::new());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            literal.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'\\') => literal.push(b'\\'),
            Some(digit @ b'0'..=b'9') => {
                let group = usize::from(digit - b'0');
                if group >= groups {
                    return Err(Reason::Substitution("the expression has no such group").into());
                }
                pieces.push(Piece::Text(std::mem::take(&mut literal).into()));
                pieces.push(Piece::Group(group));
            }
            _ => return Err(Reason::Substitution(r"after \ comes a digit or another \").into()),
        }
    }
    pieces.push(Piece::Text(literal.into()));
    for piece in &pieces {
        if let Piece::Text(text) = piece {
            part(&String::from_utf8_lossy(text))?;
        }
    }
    Ok(pieces)
}

fn substitute(pieces: &[Piece], captures: &Captures<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text),
            // A group that took no part is empty.
            Piece::Group(group) => {
                out.extend_from_slice(captures.get(*group).map_or(b"", |found| found.as_bytes()))
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
