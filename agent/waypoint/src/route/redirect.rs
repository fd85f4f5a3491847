//! Answers that send the client elsewhere.

use http::{HeaderValue, Response, StatusCode, header};
use weir_proto::l7;

use super::{
    backend::port,
    headers::authority,
    predicate::PathMatched,
    rejection::{Reason, Rejection, Within as _},
    request::RequestHead,
    rewrite::{part, replace_prefix, target},
};

/// Where clients are sent to. What is not given is the request's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    status: StatusCode,
    scheme: Option<Box<str>>,
    host: Option<Box<str>>,
    port: Port,
    path: Path,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    Number(u16),
    /// None is written.
    OfScheme,
    /// The one that the client dialled.
    OfRequest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Path {
    Same,
    Full(Box<str>),
    Prefix(Box<str>),
}

impl Redirect {
    pub(crate) fn compile(form: &l7::Redirect) -> Result<Redirect, Rejection> {
        let given = |text: &str| (!text.is_empty()).then(|| Box::<str>::from(text));
        let scheme = given(&form.scheme);
        if scheme.as_deref().is_some_and(|scheme| default_port(scheme).is_none()) {
            return Err(Reason::Meaningless("a scheme is http or https")).within("scheme");
        }
        let host = given(&form.host);
        if host
            .as_deref()
            .map(authority)
            .transpose()
            .within("host")?
            .is_some_and(|host| host.port().is_some())
        {
            return Err(Reason::Meaningless("the port has its own field")).within("host");
        }
        let path = match &form.path {
            None => Path::Same,
            Some(l7::redirect::Path::Full(full)) => Path::Full(part(full).within("full")?),
            Some(l7::redirect::Path::Prefix(prefix)) => Path::Prefix(part(prefix).within("prefix")?),
        };
        let port = Port::compile(form.port.as_ref(), scheme.is_some())?;
        Ok(Redirect { status: status(form.status).within("status")?, scheme, host, port, path })
    }

    /// The answer to a request that came to `port` and whose path was matched so.
    pub fn response(&self, request: &RequestHead<'_>, port: u16, matched: PathMatched) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        // A path is visible ASCII or UTF-8, both of which a field's value may be.
        if let Ok(location) = HeaderValue::from_bytes(&self.location(request, port, matched)) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }

    fn location(&self, request: &RequestHead<'_>, dialled: u16, matched: PathMatched) -> Vec<u8> {
        let target = self.target(request, matched);
        let host = self.host.as_deref().unwrap_or_else(|| host_of(request.authority));
        if host.is_empty() {
            // HTTP/1.0 without a host: a relative reference is all that can be said.
            return target;
        }
        let scheme = self.scheme.as_deref().unwrap_or(request.scheme);
        let port = match self.port {
            Port::Number(number) => Some(number),
            Port::OfScheme => None,
            Port::OfRequest => Some(dialled),
        };
        let port = port.filter(|port| default_port(scheme) != Some(*port));
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let mut location = format!("{scheme}://{host}{port}").into_bytes();
        location.extend(target);
        location
    }

    fn target(&self, request: &RequestHead<'_>, matched: PathMatched) -> Vec<u8> {
        match &self.path {
            Path::Same => target(request.path.into(), request.query),
            // A query in the form takes the place of the request's.
            Path::Full(full) if full.contains('?') => target(full.as_bytes().to_vec(), None),
            Path::Full(full) => target(full.as_bytes().to_vec(), request.query),
            Path::Prefix(prefix) => {
                target(replace_prefix(request.path, matched, prefix).into_bytes(), request.query)
            }
        }
    }
}

impl Port {
    /// None given: that of the scheme if one is given, and the request's otherwise (the Gateway API's rule).
    fn compile(form: Option<&l7::redirect::Port>, has_scheme: bool) -> Result<Port, Rejection> {
        use l7::{DerivedPort, redirect::Port as Form};
        Ok(match form {
            Some(Form::Number(number)) => Port::Number(port(*number).within("number")?),
            Some(Form::Derived(derived)) => match DerivedPort::try_from(*derived) {
                Ok(DerivedPort::FromProtocolDefault) => Port::OfScheme,
                Ok(DerivedPort::FromRequestPort) => Port::OfRequest,
                Err(_) => return Err(Reason::UnknownValue(*derived)).within("derived"),
            },
            None if has_scheme => Port::OfScheme,
            None => Port::OfRequest,
        })
    }
}

fn status(value: u32) -> Result<StatusCode, Rejection> {
    Ok(match value {
        301 => StatusCode::MOVED_PERMANENTLY,
        302 => StatusCode::FOUND,
        303 => StatusCode::SEE_OTHER,
        307 => StatusCode::TEMPORARY_REDIRECT,
        308 => StatusCode::PERMANENT_REDIRECT,
        _ => {
            let expected = "301, 302, 303, 307 or 308";
            return Err(Reason::OutOfRange { value: value.into(), expected }.into());
        }
    })
}

/// Without the port; the brackets of an IPv6 address stay.
fn host_of(authority: &str) -> &str {
    let after_name = authority.rsplit('@').next().unwrap_or(authority);
    match after_name.rfind(']') {
        Some(end) => &after_name[..=end],
        None => after_name.split(':').next().unwrap_or(after_name),
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
