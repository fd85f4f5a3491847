//! Answers.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;

/// 200 with JSON.
pub(crate) fn json(value: &Value) -> Response<Full<Bytes>> {
    with_type("application/json", value.to_string())
}

/// 200 with a page.
pub(crate) fn html(text: String) -> Response<Full<Bytes>> {
    with_type("text/html; charset=utf-8", text)
}

/// An error with JSON that says why.
pub(crate) fn error(status: StatusCode, reason: &str) -> Response<Full<Bytes>> {
    let mut response = json(&serde_json::json!({"error": reason}));
    *response.status_mut() = status;
    response
}

/// 404.
pub(crate) fn not_found() -> Response<Full<Bytes>> {
    error(StatusCode::NOT_FOUND, "no such page")
}

fn with_type(content_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
