//! What a route can see of a request and of who sends it.

use std::{borrow::Cow, net::IpAddr};

use http::{HeaderMap, HeaderName, Method, header, request::Parts};

use super::labels::Labels;

/// The head of a request, its path normalised (see [`super::normalize`]).
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    /// As it came.
    pub method: &'a Method,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Host and port as the client wrote them.
    pub authority: &'a str,
    /// Without the query.
    pub path: &'a str,
    /// Without the `?`.
    pub query: Option<&'a str>,
    /// Lower case names.
    pub headers: &'a HeaderMap,
}

impl<'a> RequestHead<'a> {
    /// Of the parts that hyper gives. The scheme is the listener's: HTTP/1.1 does not say it.
    pub fn of(parts: &'a Parts, scheme: &'a str) -> RequestHead<'a> {
        RequestHead {
            method: &parts.method,
            scheme: parts.uri.scheme_str().unwrap_or(scheme),
            authority: authority(parts),
            path: parts.uri.path(),
            query: parts.uri.query(),
            headers: &parts.headers,
        }
    }

    /// The value of a field; several of one name are joined by commas. `host` is the authority, also where the client's
    /// protocol has another place for it.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
        if *name == header::HOST && !self.authority.is_empty() {
            return Some(Cow::Borrowed(self.authority.as_bytes()));
        }
        header_value(self.headers, name)
    }
}

/// Host and port of a request: from its target (HTTP/2, and HTTP/1.1's absolute form), otherwise from `Host`. Empty if
/// there is none.
pub fn authority(parts: &Parts) -> &str {
    let host = || parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    parts.uri.authority().map(|authority| authority.as_str()).or_else(host).unwrap_or_default()
}

/// The value of a field; several of one name are joined by commas.
pub(crate) fn header_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.as_bytes();
    let mut joined = Cow::Borrowed(first);
    for value in values {
        let joined = joined.to_mut();
        joined.push(b',');
        joined.extend_from_slice(value.as_bytes());
    }
    Some(joined)
}

/// The client's workload.
#[derive(Clone, Copy)]
pub struct SourceView<'a> {
    /// Not known: routes that ask for one do not match.
    pub namespace: Option<&'a str>,
    /// Of the workload's pod.
    pub labels: &'a dyn Labels,
    /// The client's, not the tunnel's.
    pub address: IpAddr,
    /// As the tunnel proved it: `spiffe://...`.
    pub identity: Option<&'a str>,
}

impl SourceView<'_> {
    /// Someone of whom nothing but the address is known.
    pub fn stranger(address: IpAddr) -> SourceView<'static> {
        SourceView { namespace: None, labels: &(), address, identity: None }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::target("http://a.b:80/x", Some("c"), "a.b:80")]
    #[case::host("/x", Some("c:81"), "c:81")]
    #[case::none("/x", None, "")]
    fn authority_of(#[case] target: &str, #[case] host: Option<&str>, #[case] expected: &str) {
        let mut request = Request::get(target);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        assert_eq!(authority(&request.body(()).unwrap().into_parts().0), expected);
    }

    #[test]
    fn fields_of_one_name_are_one_value() {
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_static("x");
        assert_eq!(header_value(&headers, &name), None);
        headers.append(&name, HeaderValue::from_static("a"));
        assert_eq!(header_value(&headers, &name).unwrap(), Cow::Borrowed(b"a"));
        headers.append(&name, HeaderValue::from_static("b"));
        assert_eq!(header_value(&headers, &name).unwrap().as_ref(), b"a,b");
    }

    #[rstest]
    #[case::http2("http://a:80/x", None, Some("a:80"))]
    #[case::http1("/x", Some("b"), Some("b"))]
    #[case::target_wins("http://a/x", Some("b"), Some("a"))]
    #[case::none("/x", None, None)]
    fn host_is_the_authority(
        #[case] target: &str,
        #[case] host: Option<&str>,
        #[case] expected: Option<&str>,
    ) {
        let request = Request::get(target);
        let request = host.into_iter().fold(request, |request, host| request.header("host", host));
        let parts = request.body(()).unwrap().into_parts().0;
        let found = RequestHead::of(&parts, "http").header(&header::HOST);
        assert_eq!(found.as_deref(), expected.map(str::as_bytes));
    }
}
