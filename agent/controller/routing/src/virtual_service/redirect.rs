//! Answers without a backend, and rewriting.

use weir_proto::l7::{self, redirect, rewrite};

use super::spec::{DerivePort, DirectResponse, Redirect, Rewrite};
use crate::problem::{Effect, Problems, Reason, quoted};
use crate::value::{authority, groups, path};

/// A `Location`, or why it cannot be made.
pub(super) fn redirect(given: &Redirect) -> Result<l7::Redirect, (&'static str, String)> {
    let status = if given.redirect_code == 0 { 301 } else { given.redirect_code };
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Err((
            ".redirectCode",
            format!("{status} is no redirect; expected 301, 302, 303, 307 or 308"),
        ));
    }
    if !given.uri.is_empty() && !given.prefix_rewrite.is_empty() {
        return Err((".prefixRewrite", "uri and prefixRewrite exclude each other".to_owned()));
    }
    if !matches!(given.scheme.as_str(), "" | "http" | "https") {
        return Err((".scheme", format!("{} is neither http nor https", quoted(&given.scheme))));
    }
    path(&given.uri).map_err(|message| (".uri", message))?;
    path(&given.prefix_rewrite).map_err(|message| (".prefixRewrite", message))?;
    if !given.authority.is_empty() {
        authority(&given.authority).map_err(|message| (".authority", message))?;
    }
    let (host, in_authority) = split(&given.authority);
    let port = match (given.port, given.derive_port) {
        (Some(_), Some(_)) => {
            return Err((".derivePort", "port and derivePort exclude each other".to_owned()));
        }
        (Some(port), None) => Some(redirect::Port::Number(port.0.into())),
        (None, Some(DerivePort::FromRequestPort)) => Some(derived(l7::DerivedPort::FromRequestPort)),
        (None, Some(DerivePort::FromProtocolDefault)) => Some(derived(l7::DerivedPort::FromProtocolDefault)),
        (None, None) => in_authority.map(|port| redirect::Port::Number(port.into())),
    };
    let path = match (given.uri.as_str(), given.prefix_rewrite.as_str()) {
        ("", "") => None,
        ("", prefix) => Some(redirect::Path::Prefix(prefix.to_owned())),
        (full, _) => Some(redirect::Path::Full(full.to_owned())),
    };
    Ok(l7::Redirect { status, scheme: given.scheme.clone(), host: host.to_owned(), port, path })
}

fn derived(port: l7::DerivedPort) -> redirect::Port {
    redirect::Port::Derived(port.into())
}

/// Host and port of an authority.
fn split(authority: &str) -> (&str, Option<u16>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(0) | Err(_) => (host, None),
            Ok(port) => (host, Some(port)),
        },
        _ => (authority, None),
    }
}

/// An answer, or why it cannot be given.
pub(super) fn direct_response(given: &DirectResponse) -> Result<l7::DirectResponse, (&'static str, String)> {
    if !(200..=599).contains(&given.status) {
        return Err((".status", format!("{} is not a status; expected 200 to 599", given.status)));
    }
    let body = match (&given.body.string, &given.body.bytes) {
        (Some(_), Some(_)) => return Err((".body", "string and bytes exclude each other".to_owned())),
        (Some(text), None) => text.clone().into_bytes(),
        (None, Some(bytes)) => bytes.0.clone(),
        (None, None) => Vec::new(),
    };
    if matches!(given.status, 204 | 304) && !body.is_empty() {
        return Err((".body", format!("responses of status {} have none", given.status)));
    }
    match body.len() {
        length if length > LARGEST_BODY => {
            Err((".body", format!("has {length} bytes; {LARGEST_BODY} are allowed")))
        }
        _ => Ok(l7::DirectResponse { status: given.status, body }),
    }
}

/// A rewrite, or why it cannot be done.
pub(super) fn rewrite(
    given: &Rewrite,
    field: &str,
    problems: &mut Problems,
) -> Result<l7::Rewrite, (&'static str, String)> {
    let path = match (given.uri.as_str(), &given.uri_regex_rewrite) {
        ("", None) => None,
        (_, Some(_)) if !given.uri.is_empty() => {
            return Err((".uriRegexRewrite", "uri and uriRegexRewrite exclude each other".to_owned()));
        }
        (_, Some(regex)) => {
            let most = groups(&regex.pattern);
            let pieces = regex.rewrite.replace('\\', "");
            path(&pieces).map_err(|message| (".uriRegexRewrite.rewrite", message))?;
            if let Some(group) = references(&regex.rewrite)?.into_iter().find(|group| *group > most) {
                let message = format!("\\{group} is named, and the expression has {most} groups");
                return Err((".uriRegexRewrite.rewrite", message));
            }
            let (pattern, substitution) = (regex.pattern.0.clone(), regex.rewrite.clone());
            Some(rewrite::Path::Regex(l7::RegexRewrite { pattern, substitution }))
        }
        (uri, None) => {
            self::path(uri).map_err(|message| (".uri", message))?;
            Some(rewrite::Path::Prefix(uri.to_owned()))
        }
    };
    if !given.authority.is_empty() {
        authority(&given.authority).map_err(|message| (".authority", message))?;
    }
    if path.is_none() && given.authority.is_empty() {
        problems.add(field, Reason::Invalid, Effect::Ignored, "says neither a uri nor an authority");
    }
    Ok(l7::Rewrite { authority: given.authority.clone(), path })
}

/// The groups that a substitution names.
fn references(substitution: &str) -> Result<Vec<usize>, (&'static str, String)> {
    let (mut named, mut chars) = (Vec::new(), substitution.chars());
    while let Some(c) = chars.next() {
        if c != '\\' {
            continue;
        }
        match chars.next() {
            Some('\\') => {}
            Some(digit) if digit.is_ascii_digit() => named.extend(digit.to_digit(10).map(|d| d as usize)),
            _ => {
                let message = "a backslash is followed by a digit or another backslash".to_owned();
                return Err((".uriRegexRewrite.rewrite", message));
            }
        }
    }
    Ok(named)
}

/// What Istio allows.
const LARGEST_BODY: usize = 1 << 20;
