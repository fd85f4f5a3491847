//! Cross-origin requests of browsers (Fetch standard, "HTTP extensions").

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use weir_proto::l7;

use super::{
    rejection::{Reason, Rejection, Within as _, duration, each},
    text::TextMatch,
};

/// Which other origins may read the responses.
#[derive(Debug, Clone)]
pub struct Cors {
    origins: Vec<TextMatch>,
    any_origin: bool,
    methods: Names,
    headers: Names,
    expose: Names,
    max_age: Option<HeaderValue>,
    credentials: bool,
    refuse_unmatched_preflights: bool,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum CorsVerdict {
    /// It is no business of ours: no origin, or a preflight that the backend answers.
    Unconcerned,
    /// This is the answer.
    Preflight(Response<Bytes>),
    /// It goes on, and the response is changed so.
    Simple(CorsGrant),
}

/// What is done to the response of a cross-origin request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsGrant {
    /// `None`: this origin may not read it.
    origin: Option<HeaderValue>,
    credentials: bool,
    expose: Option<HeaderValue>,
    /// Other origins get another answer.
    varies: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Names {
    None,
    Any,
    Listed(HeaderValue),
}

impl Cors {
    pub(crate) fn compile(form: &l7::Cors) -> Result<Cors, Rejection> {
        let origins = each("allow_origins", &form.allow_origins, TextMatch::compile)?;
        let wildcard = |origin: &TextMatch| origin.is_any() || origin.only() == Some(b"*");
        let age = form.max_age.as_ref().map(duration).transpose().within("max_age")?;
        Ok(Cors {
            any_origin: origins.iter().any(wildcard),
            origins,
            methods: Names::compile(&form.allow_methods).within("allow_methods")?,
            headers: Names::compile(&form.allow_headers).within("allow_headers")?,
            expose: Names::compile(&form.expose_headers).within("expose_headers")?,
            max_age: age.map(|age| HeaderValue::from(age.as_secs())),
            credentials: form.allow_credentials,
            refuse_unmatched_preflights: form.refuse_unmatched_preflights,
        })
    }

    /// What becomes of a request with this head.
    pub fn check(&self, method: &Method, request: &HeaderMap) -> CorsVerdict {
        let Some(origin) = request.get(header::ORIGIN) else { return CorsVerdict::Unconcerned };
        let allowed = self.any_origin || self.origins.iter().any(|wanted| wanted.matches(origin.as_bytes()));
        let preflight =
            *method == Method::OPTIONS && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        match (preflight, allowed) {
            (true, true) => CorsVerdict::Preflight(self.preflight(origin, request)),
            (true, false) if self.refuse_unmatched_preflights => CorsVerdict::Preflight(refusal()),
            (true, false) => CorsVerdict::Unconcerned,
            (false, _) => CorsVerdict::Simple(CorsGrant {
                origin: allowed.then(|| self.origin(origin)),
                credentials: self.credentials,
                // With credentials browsers take no wildcard here either, and nobody has said which headers are meant.
                expose: self.expose.value(self.credentials, None),
                varies: !self.is_open(),
            }),
        }
    }

    fn preflight(&self, origin: &HeaderValue, request: &HeaderMap) -> Response<Bytes> {
        let mut response = refusal();
        let mut insert = |name: HeaderName, value: Option<HeaderValue>| {
            if let Some(value) = value {
                response.headers_mut().insert(name, value);
            }
        };
        insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, Some(self.origin(origin)));
        insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, self.credentials.then_some(TRUE));
        let wanted = request.get(header::ACCESS_CONTROL_REQUEST_METHOD);
        insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.value(self.credentials, wanted));
        let wanted = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
        insert(header::ACCESS_CONTROL_ALLOW_HEADERS, self.headers.value(self.credentials, wanted));
        insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        response
    }

    /// With credentials, browsers take no wildcard: the origin is said back.
    fn origin(&self, origin: &HeaderValue) -> HeaderValue {
        if self.is_open() { ANY } else { origin.clone() }
    }

    /// The same answer for every origin.
    fn is_open(&self) -> bool {
        self.any_origin && !self.credentials
    }
}

impl CorsGrant {
    /// Changes the head of the response. What the backend said of this itself gives way, unless the origin is not allowed.
    pub fn change_response(self, headers: &mut HeaderMap) {
        if self.varies && !varies_by_origin(headers) {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = self.origin else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        match self.credentials {
            true => headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE),
            false => headers.remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS),
        };
        if let Some(expose) = self.expose {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose);
        }
    }
}

impl Names {
    fn compile(form: &[String]) -> Result<Names, Rejection> {
        if form.iter().any(|name| name == "*") {
            return Ok(Names::Any);
        }
        if form.is_empty() {
            return Ok(Names::None);
        }
        for name in form {
            // A token, for methods as for fields.
            Method::from_bytes(name.as_bytes()).map_err(|_| Reason::NotHttp(name.clone()))?;
        }
        let listed = HeaderValue::from_str(&form.join(", "));
        listed.map(Names::Listed).map_err(|_| Reason::NotHttp(form.join(", ")).into())
    }

    /// With credentials, browsers take a wildcard literally: what was asked for is said back.
    fn value(&self, credentials: bool, wanted: Option<&HeaderValue>) -> Option<HeaderValue> {
        match self {
            Names::None => None,
            Names::Any if credentials => wanted.cloned(),
            Names::Any => Some(ANY),
            Names::Listed(names) => Some(names.clone()),
        }
    }
}

/// The answer to a preflight without any permission.
fn refusal() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    response.headers_mut().insert(header::VARY, HeaderValue::from_static(PREFLIGHT_VARIES));
    response
}

fn varies_by_origin(headers: &HeaderMap) -> bool {
    let named = |value: &HeaderValue| {
        let is = |name: &[u8]| name.eq_ignore_ascii_case(b"origin") || name == b"*";
        value.as_bytes().split(|byte| *byte == b',').any(|name| is(name.trim_ascii()))
    };
    headers.get_all(header::VARY).iter().any(named)
}

const TRUE: HeaderValue = HeaderValue::from_static("true");
const ANY: HeaderValue = HeaderValue::from_static("*");
const PREFLIGHT_VARIES: &str = "origin, access-control-request-method, access-control-request-headers";

#[cfg(test)]
mod tests;
