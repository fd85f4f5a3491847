//! The CONNECT request and its answer: what a client's node writes, what a server's node reads.

use std::net::SocketAddr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, Uri, request};
use weir_model::{Identity, Workload};

use super::authority::{Authority, AuthorityError};
use super::trace::TraceParent;
use super::{baggage, forwarded};

/// Describes the sender's workload.
pub const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
/// The connection's trace.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Source network of a request that came through a gateway of another network.
pub const FORWARDED_NETWORK: HeaderName = HeaderName::from_static("x-forwarded-network");

/// SPIFFE id of the client for whom a waypoint asks. Ours; other peers pass over it. Telemetry only.
pub const SOURCE: HeaderName = HeaderName::from_static("x-weir-source");

/// Why a request is answered with 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Only CONNECT is served.
    #[error("the method is {0}, only CONNECT is served here")]
    Method(Method),
    /// `:scheme`, `:path` or `:protocol` is there.
    #[error("the CONNECT has a scheme, a path or a protocol; only plain CONNECT is served here")]
    Extended,
    /// The authority does not parse.
    #[error("{0}")]
    Authority(#[from] AuthorityError),
}

/// The request that opens a stream to `target` on behalf of `source`.
///
/// # Errors
/// None for an address of this process's making; the types of `http` are fallible.
pub fn request(
    target: SocketAddr,
    source: &Workload,
    from: SocketAddr,
    service: Option<&str>,
    trace: TraceParent,
) -> Result<Request<()>, http::Error> {
    let mut request = Request::new(());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = Uri::try_from(target.to_string())?;
    let headers = request.headers_mut();
    let fields = [
        (BAGGAGE, baggage::describe(source)),
        (FORWARDED, forwarded::header(from, service)),
        (TRACEPARENT, trace.header()),
    ];
    headers.extend(fields.into_iter().filter_map(|(k, v)| Some((k, v?))));
    Ok(request)
}

/// A request that can be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// Where it wants to go.
    pub authority: Authority,
    /// Hostname of the service that the client dialled. Telemetry only.
    pub service: Option<Box<str>>,
    /// The client's trace; a fresh one if it sent none that parses.
    pub trace: TraceParent,
    /// For whom the peer says that it asks, if it is a waypoint. Telemetry only.
    pub source: Option<Identity>,
    /// Network that it came from through a gateway.
    pub network: Option<Box<str>>,
}

impl Connect {
    /// Reads a request's head.
    ///
    /// # Errors
    /// What the peer must be told with 400.
    pub fn parse(head: &request::Parts) -> Result<Self, ConnectError> {
        if head.method != Method::CONNECT {
            return Err(ConnectError::Method(head.method.clone()));
        }
        let extended = head.extensions.get::<h2::ext::Protocol>().is_some();
        if extended || head.uri.scheme().is_some() || !matches!(head.uri.path(), "" | "/") {
            return Err(ConnectError::Extended);
        }
        let authority = head.uri.authority().ok_or(AuthorityError::Missing)?;
        Ok(Self {
            authority: authority.as_str().parse()?,
            service: text(&head.headers, &FORWARDED).and_then(forwarded::host).map(Into::into),
            trace: text(&head.headers, &TRACEPARENT)
                .and_then(|t| t.parse().ok())
                .unwrap_or_else(TraceParent::random),
            source: text(&head.headers, &SOURCE).and_then(|id| id.parse().ok()),
            network: text(&head.headers, &FORWARDED_NETWORK).map(Into::into),
        })
    }
}

/// The answer. 200 describes the destination; a refusal has no header and no body.
pub fn response(status: StatusCode, destination: Option<&Workload>) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    if let Some(header) = destination.and_then(baggage::describe) {
        response.headers_mut().insert(BAGGAGE, header);
    }
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: Method, uri: &str) -> request::Parts {
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        request.into_parts().0
    }

    #[test]
    fn written_as_it_is_read() {
        let source = Workload::pod("shop", "web-1");
        for target in ["10.1.1.2:8080", "[fd00::2]:80"] {
            let trace = TraceParent::random();
            let from = "10.1.1.1:40000".parse().unwrap();
            let request = request(target.parse().unwrap(), &source, from, Some("a.b"), trace);
            let (head, ()) = request.unwrap().into_parts();
            assert!(head.uri.scheme().is_none() && head.uri.path().is_empty());
            let read = Connect::parse(&head).unwrap();
            assert_eq!(read.authority.to_string(), target);
            assert_eq!(read.service.as_deref(), Some("a.b"));
            assert_eq!(read.trace, trace);
        }
    }

    #[test]
    fn what_gets_400() {
        let cases = [
            (Method::GET, "10.1.1.2:80", ConnectError::Method(Method::GET)),
            (Method::CONNECT, "http://10.1.1.2:80/", ConnectError::Extended),
            (Method::CONNECT, "10.1.1.2", AuthorityError::NoPort.into()),
            (Method::CONNECT, "10.1.1.2:0", AuthorityError::Port.into()),
            (Method::CONNECT, "/x", ConnectError::Extended),
        ];
        for (method, uri, why) in cases {
            assert_eq!(Connect::parse(&head(method, uri)), Err(why), "{uri}");
        }
    }

    #[test]
    fn hostile_metadata_is_not_an_error() {
        let mut head = head(Method::CONNECT, "10.1.1.2:80");
        head.headers.insert(TRACEPARENT, "-".repeat(55).parse().unwrap());
        head.headers.insert(FORWARDED, "host".parse().unwrap());
        head.headers.insert(SOURCE, "spiffe://a/b".parse().unwrap());
        let read = Connect::parse(&head).unwrap();
        assert_eq!((read.service, read.source), (None, None));
    }

    #[test]
    fn a_refusal_says_nothing_else() {
        let response = response(StatusCode::UNAUTHORIZED, None);
        assert_eq!(response.status(), 401);
        assert!(response.headers().is_empty());
    }
}
