//! What a request's head must be before anybody decides anything by it.
//!
//! After it, a head has one form, whatever version it came in: the target is a path (`*` for OPTIONS, an authority for
//! CONNECT), the authority is in `host`, and there is one of it.

use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Method, StatusCode, Uri, Version, header};
use hyper::ext::Protocol;

/// Why a head is refused: with which status, and Envoy's word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{details}")]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) details: &'static str,
}

/// Checks a head and brings it into the one form.
pub(crate) fn check(parts: &mut Parts, max_target: usize) -> Result<(), Refused> {
    if parts.uri.path_and_query().map_or(0, |target| target.as_str().len()) > max_target {
        return Err(Refused { status: StatusCode::URI_TOO_LONG, details: "http.uri_too_long" });
    }
    framing(parts)?;
    let host = authority(parts)?;
    expectation(parts)?;
    target(parts)?;
    if parts.headers.get(header::HOST) != Some(&host) {
        parts.headers.insert(header::HOST, host);
    }
    Ok(())
}

/// The gate has looked at HTTP/1's bytes already; h2 knows no transfer-encoding. This is for what they leave.
fn framing(parts: &Parts) -> Result<(), Refused> {
    let many = |name| parts.headers.get_all(name).iter().nth(1).is_some();
    if many(header::CONTENT_LENGTH) || many(header::TRANSFER_ENCODING) {
        return Err(bad("http.inconsistent_content_length"));
    }
    let both = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
    if both.iter().all(|name| parts.headers.contains_key(name)) {
        return Err(bad("http.content_length_and_transfer_encoding"));
    }
    Ok(())
}

/// The one authority: that of the target and that of `host` may not differ.
fn authority(parts: &Parts) -> Result<HeaderValue, Refused> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(bad("http.several_hosts"));
    }
    let target = parts.uri.authority();
    if let Some(host) = host {
        let valid = Authority::try_from(host.as_bytes()).is_ok_and(|authority| plain(&authority));
        if !valid {
            return Err(bad("http.invalid_authority"));
        }
    }
    match (target, host) {
        (None, None) => Err(bad("http.no_host")),
        (None, Some(host)) => Ok(host.clone()),
        (Some(target), _) if !plain(target) => Err(bad("http.invalid_authority")),
        (Some(target), Some(host)) if !target.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()) => {
            Err(bad("http.authority_and_host_differ"))
        }
        (Some(target), _) => {
            HeaderValue::try_from(target.as_str()).map_err(|_| bad("http.invalid_authority"))
        }
    }
}

/// Without a user's name, which one program takes for the host's and another does not.
fn plain(authority: &Authority) -> bool {
    !authority.as_str().contains('@') && !authority.host().is_empty()
}

fn expectation(parts: &mut Parts) -> Result<(), Refused> {
    match parts.headers.remove(header::EXPECT) {
        // hyper answers it as soon as the body is asked for, which is when there is somebody to send it to.
        Some(value) if value.as_bytes().eq_ignore_ascii_case(b"100-continue") => Ok(()),
        Some(_) => {
            Err(Refused { status: StatusCode::EXPECTATION_FAILED, details: "http.unknown_expectation" })
        }
        None => Ok(()),
    }
}

fn target(parts: &mut Parts) -> Result<(), Refused> {
    if parts.method == Method::CONNECT {
        // RFC 9110 9.3.6: what follows is no body. The gate takes it for a tunnel's.
        let body = parts.headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
            || parts.headers.contains_key(header::TRANSFER_ENCODING);
        if body {
            return Err(bad("http.connect_with_body"));
        }
        // What is left of those is none that could be carried.
        let extended = parts.extensions.get::<Protocol>().is_some();
        return if extended { Err(bad("http2.extended_connect")) } else { Ok(()) };
    }
    if parts.uri.scheme_str().is_some_and(|scheme| scheme != "http" && scheme != "https") {
        return Err(bad("http.unknown_scheme"));
    }
    let path = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
    if !(path.starts_with('/') || (path == "*" && parts.method == Method::OPTIONS)) {
        return Err(bad("http.invalid_path"));
    }
    if parts.uri.authority().is_some() {
        let path = parts.uri.path_and_query().cloned();
        parts.uri = path.map_or_else(Uri::default, Uri::from);
    }
    Ok(())
}

/// The protocol that the client wants to change to, if it may ask: HTTP/1.1 with `connection: upgrade`. Not HTTP/2: to
/// be smuggled in that way is all that is known of it.
pub(crate) fn wanted_upgrade(parts: &Parts) -> Option<HeaderValue> {
    if parts.version != Version::HTTP_11 {
        return None;
    }
    let value = parts.headers.get(header::UPGRADE)?;
    let connection = parts.headers.get_all(header::CONNECTION).iter();
    let asked = connection.flat_map(|line| line.as_bytes().split(|b| *b == b','));
    let asked = asked.into_iter().any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
    let http2 = value.as_bytes().split(|b| *b == b',').any(|token| {
        let token = token.trim_ascii();
        token.len() >= 2 && token[..2].eq_ignore_ascii_case(b"h2")
    });
    (asked && !http2).then(|| value.clone())
}

/// The protocol of an extended CONNECT (RFC 8441 4).
pub(crate) fn extended_connect(parts: &mut Parts) -> Option<HeaderValue> {
    if parts.method != Method::CONNECT || parts.version != Version::HTTP_2 {
        return None;
    }
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let protocol = parts.extensions.get::<Protocol>()?.as_ref();
    if protocol.is_empty() || !protocol.iter().all(token) {
        return None;
    }
    let protocol = HeaderValue::from_bytes(protocol).ok();
    parts.extensions.remove::<Protocol>();
    protocol
}

fn bad(details: &'static str) -> Refused {
    Refused { status: StatusCode::BAD_REQUEST, details }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use rstest::rstest;

    use super::*;

    fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut builder = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    #[rstest]
    #[case("GET", "/a?b", &[("host", "c")], "/a?b", "c")]
    #[case("GET", "http://C:80/a", &[("host", "c:80")], "/a", "C:80")]
    #[case("GET", "http://c/a", &[], "/a", "c")]
    #[case("GET", "http://c", &[("host", "c")], "/", "c")]
    #[case("OPTIONS", "*", &[("host", "c")], "*", "c")]
    #[case("CONNECT", "c:443", &[("host", "c:443")], "c:443", "c:443")]
    #[case("POST", "/", &[("host", "[::1]:80"), ("expect", "100-Continue")], "/", "[::1]:80")]
    fn one_form(
        #[case] method: &str,
        #[case] uri: &str,
        #[case] headers: &[(&str, &str)],
        #[case] target: &str,
        #[case] host: &str,
    ) {
        let mut parts = parts(method, uri, headers);
        check(&mut parts, 100).unwrap();
        assert_eq!(parts.uri.to_string(), target);
        assert_eq!(parts.headers["host"], host);
        assert!(!parts.headers.contains_key("expect"));
    }

    #[rstest]
    #[case("GET", "/a", &[], 400)]
    #[case("GET", "/a", &[("host", "b"), ("host", "b")], 400)]
    #[case("GET", "/a", &[("host", "")], 400)]
    #[case("GET", "/a", &[("host", "b c")], 400)]
    #[case("GET", "/a", &[("host", "me@b")], 400)]
    #[case("GET", "/a", &[("host", "b/c")], 400)]
    #[case("GET", "http://b/a", &[("host", "c")], 400)]
    #[case("GET", "http://me@b/a", &[], 400)]
    #[case("GET", "ftp://b/a", &[], 400)]
    #[case("GET", "b:80", &[("host", "b:80")], 400)]
    #[case("GET", "*", &[("host", "b")], 400)]
    #[case("GET", "/a", &[("host", "b"), ("content-length", "1"), ("content-length", "1")], 400)]
    #[case("GET", "/a", &[("host", "b"), ("content-length", "1"), ("transfer-encoding", "chunked")], 400)]
    #[case("CONNECT", "b:443", &[("host", "b:443"), ("content-length", "1")], 400)]
    #[case("CONNECT", "b:443", &[("host", "b:443"), ("transfer-encoding", "chunked")], 400)]
    #[case("GET", "/a", &[("host", "b"), ("expect", "a miracle")], 417)]
    #[case("GET", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &[("host", "b")], 414)]
    fn refused(
        #[case] method: &str,
        #[case] uri: &str,
        #[case] headers: &[(&str, &str)],
        #[case] status: u16,
    ) {
        let refused = check(&mut parts(method, uri, headers), 32).unwrap_err();
        assert_eq!(refused.status.as_u16(), status);
    }

    #[rstest]
    #[case(&[("upgrade", "websocket"), ("connection", "keep-alive, Upgrade")], Some("websocket"))]
    #[case(&[("upgrade", "websocket")], None)]
    #[case(&[("connection", "upgrade")], None)]
    #[case(&[("upgrade", "h2c"), ("connection", "upgrade, http2-settings")], None)]
    #[case(&[("upgrade", "websocket, H2C"), ("connection", "upgrade")], None)]
    fn upgrades(#[case] headers: &[(&str, &str)], #[case] expected: Option<&str>) {
        let wanted = wanted_upgrade(&parts("GET", "/", headers));
        assert_eq!(wanted.as_ref().and_then(|value| value.to_str().ok()), expected);
    }
}
