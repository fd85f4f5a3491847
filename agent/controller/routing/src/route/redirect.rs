//! Redirects and rewrites.

use weir_proto::l7::{self, redirect, rewrite};

use super::Context;
use super::filter::Wrong;
use super::spec::{PathModifier, RedirectFilter, RewriteFilter};
use crate::problem::{Reason, quoted};
use crate::value::{authority, is_host, path};

pub(super) fn redirect(
    context: &Context<'_>,
    given: &RedirectFilter,
    prefixes: bool,
) -> Result<l7::Redirect, Wrong> {
    let wrong = |part, message| Err((part, Reason::UnsupportedValue, message));
    let status = given.status_code.unwrap_or(302);
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        let message = format!("{status} is no redirect; expected 301, 302, 303, 307 or 308");
        return wrong(".requestRedirect.statusCode", message);
    }
    let scheme = given.scheme.clone().unwrap_or_default();
    if !matches!(scheme.as_str(), "" | "http" | "https") {
        return wrong(".requestRedirect.scheme", format!("{} is neither http nor https", quoted(&scheme)));
    }
    let path = match modifier(given.path.as_ref(), prefixes) {
        Ok(None) => None,
        Ok(Some(Change::Full(path))) => Some(redirect::Path::Full(path)),
        Ok(Some(Change::Prefix(prefix))) => Some(redirect::Path::Prefix(prefix)),
        Err(message) => return wrong(".requestRedirect.path", message),
    };
    let host = host(given.hostname.as_deref())
        .map_err(|message| (".requestRedirect.hostname", Reason::UnsupportedValue, message))?;
    let port = port(&scheme, given.port.map(|port| port.0), context.parent.map(|(_, port)| port));
    Ok(l7::Redirect { status, scheme, host, port: Some(port), path })
}

/// Without a port of its own, a redirect goes to that of its scheme; without a scheme, to that of the parent. A port that is
/// the scheme's own is not written.
fn port(scheme: &str, given: Option<u16>, parent: Option<u16>) -> redirect::Port {
    let default = redirect::Port::Derived(l7::DerivedPort::FromProtocolDefault.into());
    // What is asked of us inside the mesh is http.
    let own = if scheme == "https" { 443 } else { 80 };
    let port = given.or(if scheme.is_empty() { parent } else { None });
    port.filter(|port| *port != own).map_or(default, |port| redirect::Port::Number(port.into()))
}

pub(super) fn rewrite(given: &RewriteFilter, prefixes: bool) -> Result<l7::Rewrite, Wrong> {
    let wrong = |part, message| Err((part, Reason::UnsupportedValue, message));
    let path = match modifier(given.path.as_ref(), prefixes) {
        Ok(None) => None,
        Ok(Some(Change::Full(path))) => Some(rewrite::Path::Full(path)),
        Ok(Some(Change::Prefix(prefix))) => Some(rewrite::Path::Prefix(prefix)),
        Err(message) => return wrong(".urlRewrite.path", message),
    };
    let authority = host(given.hostname.as_deref())
        .map_err(|message| (".urlRewrite.hostname", Reason::UnsupportedValue, message))?;
    Ok(l7::Rewrite { authority, path })
}

fn host(given: Option<&str>) -> Result<String, String> {
    match given {
        None => Ok(String::new()),
        Some(host) if is_host(host) && !host.starts_with('*') && authority(host).is_ok() => {
            Ok(host.to_owned())
        }
        Some(host) => Err(format!("{} is not a host", quoted(host))),
    }
}

enum Change {
    Full(String),
    Prefix(String),
}

fn modifier(given: Option<&PathModifier>, prefixes: bool) -> Result<Option<Change>, String> {
    let Some(given) = given else { return Ok(None) };
    match (given.kind.as_str(), &given.replace_full_path, &given.replace_prefix_match) {
        ("ReplaceFullPath", Some(full), None) => path(full).map(|()| Some(Change::Full(full.clone()))),
        ("ReplacePrefixMatch", None, Some(_)) if !prefixes => {
            Err("ReplacePrefixMatch needs a rule that matches by PathPrefix only".to_owned())
        }
        ("ReplacePrefixMatch", None, Some(prefix)) => {
            path(prefix).map(|()| Some(Change::Prefix(prefix.clone())))
        }
        ("ReplaceFullPath", ..) => {
            Err("replaceFullPath, and nothing else, belongs to ReplaceFullPath".to_owned())
        }
        ("ReplacePrefixMatch", ..) => {
            Err("replacePrefixMatch, and nothing else, belongs to ReplacePrefixMatch".to_owned())
        }
        (other, ..) => Err(format!("{} is neither ReplaceFullPath nor ReplacePrefixMatch", quoted(other))),
    }
}
