//! A request as it came, for the log.

use std::time::SystemTime;

use http::{HeaderName, HeaderValue, Version, header};

/// What the log says of a request as it came; kept only if there is a log.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) at: SystemTime,
    pub(super) method: http::Method,
    pub(super) path: String,
    pub(super) version: Version,
    pub(super) forwarded_for: Option<HeaderValue>,
    pub(super) user_agent: Option<HeaderValue>,
    pub(super) request_id: Option<HeaderValue>,
    pub(super) authority: String,
}

impl Seen {
    pub(super) fn of(request: &http::request::Parts) -> Self {
        let header = |name: HeaderName| request.headers.get(name).cloned();
        Self {
            at: SystemTime::now(),
            method: request.method.clone(),
            path: request.uri.path_and_query().map_or_else(|| request.uri.to_string(), |p| p.to_string()),
            version: request.version,
            forwarded_for: header(FORWARDED_FOR),
            user_agent: header(header::USER_AGENT),
            request_id: header(HeaderName::from_static("x-request-id")),
            authority: request
                .uri
                .authority()
                .map(|a| a.to_string())
                .or_else(|| host(request))
                .unwrap_or_default(),
        }
    }
}

impl Seen {
    pub(super) fn version(&self) -> &'static str {
        match self.version {
            Version::HTTP_09 => "HTTP/0.9",
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_11 => "HTTP/1.1",
            Version::HTTP_2 => "HTTP/2.0",
            Version::HTTP_3 => "HTTP/3.0",
            _ => "",
        }
    }
}

fn host(request: &http::request::Parts) -> Option<String> {
    request.headers.get(header::HOST)?.to_str().ok().map(str::to_owned)
}

pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
