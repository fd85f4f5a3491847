//! Changes of header fields.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header, request::Parts, uri::Authority};
use weir_proto::l7;

use super::rejection::{Reason, Rejection, Within as _, each};

/// What is set, then added, then removed.
///
/// Most rules change nothing, and there are many rules: nothing takes no place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderOperations(Option<Box<Operations>>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Operations {
    authority: Option<Authority>,
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
    remove: Vec<HeaderName>,
}

impl HeaderOperations {
    /// Of requests: `host` and `:authority` may be set.
    pub(crate) fn request(form: Option<&l7::HeaderOperations>) -> Result<HeaderOperations, Rejection> {
        let Some(form) = form else { return Ok(HeaderOperations::default()) };
        let is_authority = |header: &&l7::Header| AUTHORITY.contains(&header.name.to_lowercase().as_str());
        let authorities: Vec<_> = form.set.iter().filter(is_authority).collect();
        let authority = match authorities[..] {
            [] => None,
            [header] => Some(authority(&header.value).within("set")?),
            _ => return Err(Reason::Duplicate).within("set"),
        };
        Ok(Operations { authority, ..Operations::compile(form, &AUTHORITY)? }.into())
    }

    /// Of responses.
    pub(crate) fn response(form: Option<&l7::HeaderOperations>) -> Result<HeaderOperations, Rejection> {
        let Some(form) = form else { return Ok(HeaderOperations::default()) };
        Operations::compile(form, &[]).map(HeaderOperations::from)
    }

    /// Changes a request.
    pub fn change_request(&self, parts: &mut Parts) {
        let Some(operations) = &self.0 else { return };
        if let Some(authority) = &operations.authority {
            set_authority(parts, authority);
        }
        operations.change(&mut parts.headers);
    }

    /// Changes the head of a response.
    pub fn change_response(&self, headers: &mut HeaderMap) {
        if let Some(operations) = &self.0 {
            operations.change(headers);
        }
    }
}

impl From<Operations> for HeaderOperations {
    fn from(operations: Operations) -> Self {
        Self((operations != Operations::default()).then(|| Box::new(operations)))
    }
}

impl Operations {
    fn compile(form: &l7::HeaderOperations, apart: &[&str]) -> Result<Operations, Rejection> {
        let field = |header: &l7::Header| {
            let value = HeaderValue::from_str(&header.value);
            let value = value.map_err(|_| Reason::NotHttp(header.value.clone())).within("value")?;
            Ok((name(&header.name).within("name")?, value))
        };
        let set = |header: &l7::Header| match apart.contains(&header.name.to_lowercase().as_str()) {
            true => Ok(None),
            false => field(header).map(Some),
        };
        Ok(Operations {
            authority: None,
            set: each("set", &form.set, set)?.into_iter().flatten().collect(),
            add: each("add", &form.add, field)?,
            remove: each("remove", &form.remove, |removed| name(removed))?,
        })
    }

    fn change(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.set {
            headers.insert(name.clone(), value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name.clone(), value.clone());
        }
        for name in &self.remove {
            headers.remove(name);
        }
    }
}

/// Gives a request another host, wherever it says one.
pub(crate) fn set_authority(parts: &mut Parts, authority: &Authority) {
    if parts.uri.authority().is_some() {
        let mut uri = parts.uri.clone().into_parts();
        uri.authority = Some(authority.clone());
        // What had an authority before can have another.
        parts.uri = Uri::from_parts(uri).unwrap_or_else(|_| parts.uri.clone());
    }
    if (parts.uri.authority().is_none() || parts.headers.contains_key(header::HOST))
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(header::HOST, host);
    }
}

/// An authority that a form gives: without user names.
pub(crate) fn authority(text: &str) -> Result<Authority, Rejection> {
    let authority = Authority::try_from(text).ok().filter(|authority| !authority.as_str().contains('@'));
    authority.ok_or_else(|| Reason::NotHttp(text.to_owned()).into())
}

/// A field that a route may change.
fn name(text: &str) -> Result<HeaderName, Rejection> {
    if text.starts_with(':') || FORBIDDEN.contains(&text.to_lowercase().as_str()) {
        return Err(Reason::ForbiddenHeader(text.to_owned()).into());
    }
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| Reason::NotHttp(text.to_owned()).into())
}

const AUTHORITY: [&str; 2] = ["host", ":authority"];

/// Fields of one connection (RFC 9110, 7.6.1), those that say where a message ends, and the authority.
const FORBIDDEN: [&str; 10] = [
    "connection",
    "content-length",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[cfg(test)]
mod tests;
