//! One form for each path, before anybody looks at it.
//!
//! A path that two programs read differently goes past a route or a policy of one of them. So what is matched and authorized
//! is what is forwarded, and the form is a fixed point: normalising it again changes nothing.

use std::borrow::Cow;

use http::{Uri, request::Parts, uri::PathAndQuery};
use weir_proto::l7::PathNormalization;

use super::predicate::escape;

/// A path that nothing good is meant by: an answer of 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// Programs in C end their text there.
    #[error("a path with a NUL byte")]
    Nul,
    /// The normalised path is no target of a request.
    #[error("not a valid path")]
    Invalid,
}

/// Normalises the path of a request, and leaves its query alone.
pub fn normalize(parts: &mut Parts, mode: PathNormalization) -> Result<(), BadPath> {
    let Some(target) = parts.uri.path_and_query() else { return Ok(()) };
    let Cow::Owned(path) = normalized(target.path(), mode)? else { return Ok(()) };
    let target = match target.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut uri = parts.uri.clone().into_parts();
    uri.path_and_query = Some(PathAndQuery::try_from(target).map_err(|_| BadPath::Invalid)?);
    parts.uri = Uri::from_parts(uri).map_err(|_| BadPath::Invalid)?;
    Ok(())
}

/// The normal form of a path without its query.
pub(crate) fn normalized(path: &str, mode: PathNormalization) -> Result<Cow<'_, str>, BadPath> {
    // OPTIONS has `*` for a path.
    if mode == PathNormalization::None || !path.starts_with('/') || is_plain(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    let slashes = mode == PathNormalization::DecodeAndMergeSlashes;
    let merge = slashes || mode == PathNormalization::MergeSlashes;
    let mut out = without_dots(&decoded(path, slashes)?);
    if merge {
        out.dedup_by(|next, last| *next == b'/' && *last == b'/');
    }
    let out = String::from_utf8(out).map_err(|_| BadPath::Invalid)?;
    Ok(if out == path { Cow::Borrowed(path) } else { Cow::Owned(out) })
}

/// Nothing in it that any mode changes: the usual case costs one look.
fn is_plain(path: &[u8]) -> bool {
    let changes = |pair: &[u8]| matches!(pair, [b'/', b'/' | b'.'] | [b'%' | b'\\', _]);
    !path.windows(2).any(changes) && !matches!(path, [.., b'%' | b'\\'])
}

/// Escapes of characters that need none are undone (RFC 3986, 6.2.2.2), backslashes are slashes, and a percent sign that
/// begins no escape is escaped: with what follows it could become one.
fn decoded(path: &str, slashes: bool) -> Result<Vec<u8>, BadPath> {
    let bytes = path.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len() + 2), 0);
    while let Some(&byte) = bytes.get(at) {
        let meant = escape(&bytes[at..]);
        at += if meant.is_some() { 3 } else { 1 };
        match (byte, meant) {
            (_, Some(0)) => return Err(BadPath::Nul),
            (_, Some(b'/' | b'\\')) if slashes => out.push(b'/'),
            (_, Some(meant)) if is_unreserved(meant) => out.push(meant),
            (_, Some(_)) => out.extend_from_slice(&bytes[at - 3..at]),
            (b'%', None) => out.extend_from_slice(b"%25"),
            (b'\\', None) => out.push(b'/'),
            (_, None) => out.push(byte),
        }
    }
    Ok(out)
}

/// RFC 3986, 5.2.4: `.` is nothing, `..` takes back the segment before it, even an empty one.
fn without_dots(path: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    let mut segments = path[1..].split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            b"." => {}
            b".." => out.truncate(out.iter().rposition(|byte| *byte == b'/').unwrap_or(0)),
            _ => {
                out.push(b'/');
                out.extend_from_slice(segment);
                continue;
            }
        }
        if last {
            out.push(b'/');
        }
    }
    out
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

#[cfg(test)]
mod tests;
