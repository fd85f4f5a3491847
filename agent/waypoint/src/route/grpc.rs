//! gRPC's statuses, for answers that the waypoint makes itself.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

/// The last of gRPC's statuses.
pub const UNAUTHENTICATED: u32 = 16;

/// Whether a request or response is gRPC's, by its content type.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let content = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let rest = content.strip_prefix(b"application/grpc").unwrap_or(b"x");
    matches!(rest, [] | [b'+' | b';', ..])
}

/// The status that a response's head says: only a response without a body does.
pub fn status_of(headers: &HeaderMap) -> Option<u32> {
    headers.get(STATUS)?.to_str().ok()?.parse().ok()
}

/// How long the client waits, by its `grpc-timeout`: up to eight digits and a unit. What is none is no limit.
pub fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let (unit, digits) = headers.get(TIMEOUT)?.as_bytes().split_last()?;
    let number = Some(digits).filter(|d| (1..=8).contains(&d.len()) && d.iter().all(u8::is_ascii_digit))?;
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// What a client of gRPC makes of an HTTP status (gRPC's "HTTP to gRPC Status Code Mapping").
pub fn from_http(status: StatusCode) -> u32 {
    match status.as_u16() {
        200 => OK,
        400 => INTERNAL,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 => UNIMPLEMENTED,
        429 | 502 | 503 | 504 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

/// The HTTP status of a gRPC one (`google/rpc/code.proto`).
pub fn to_http(code: u32) -> StatusCode {
    match code {
        OK => StatusCode::OK,
        // "Client closed request", which no standard has.
        1 => StatusCode::from_u16(499).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        3 | 9 | 11 => StatusCode::BAD_REQUEST,
        DEADLINE_EXCEEDED => StatusCode::GATEWAY_TIMEOUT,
        5 => StatusCode::NOT_FOUND,
        6 | 10 => StatusCode::CONFLICT,
        PERMISSION_DENIED => StatusCode::FORBIDDEN,
        8 => StatusCode::TOO_MANY_REQUESTS,
        UNIMPLEMENTED => StatusCode::NOT_IMPLEMENTED,
        UNAVAILABLE => StatusCode::SERVICE_UNAVAILABLE,
        UNAUTHENTICATED => StatusCode::UNAUTHORIZED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An answer of our own with this status, in the form that the client of `request` reads.
pub fn local_reply(request: &HeaderMap, status: StatusCode, message: &str) -> Response<Bytes> {
    if is_grpc(request) { trailers_only(from_http(status), message) } else { plain(status, message) }
}

/// An answer of our own with this status of gRPC, in the form that the client of `request` reads.
pub fn local_status(request: &HeaderMap, code: u32, message: &str) -> Response<Bytes> {
    if is_grpc(request) { trailers_only(code, message) } else { plain(to_http(code), message) }
}

fn plain(status: StatusCode, message: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(message.as_bytes()));
    *response.status_mut() = status;
    if !message.is_empty() {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    }
    response
}

fn trailers_only(code: u32, message: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(STATUS, HeaderValue::from(code));
    if let Ok(message) = HeaderValue::from_str(&encoded(message)) {
        headers.insert(MESSAGE, message);
    }
    response
}

/// A message as `grpc-message` carries it: what is not printable ASCII, and the percent sign, percent-encoded.
fn encoded(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

const OK: u32 = 0;
const UNKNOWN: u32 = 2;
/// The client's time is over.
pub const DEADLINE_EXCEEDED: u32 = 4;
const PERMISSION_DENIED: u32 = 7;
const UNIMPLEMENTED: u32 = 12;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("application/grpc", true)]
    #[case::codec("application/grpc+proto", true)]
    #[case::parameter("application/grpc;x=y", true)]
    #[case::web("application/grpc-web", false)]
    #[case::other("text/plain", false)]
    #[case::none("", false)]
    fn content_types(#[case] content: &str, #[case] expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content.parse().unwrap());
        assert_eq!(is_grpc(&headers), expected);
    }

    #[rstest]
    #[case("1H", Some(3_600_000_000_000))]
    #[case("2M", Some(120_000_000_000))]
    #[case("3S", Some(3_000_000_000))]
    #[case("99999999m", Some(99_999_999_000_000))]
    #[case("5u", Some(5000))]
    #[case("0n", Some(0))]
    #[case("100000000n", None)]
    #[case("1", None)]
    #[case("S", None)]
    #[case("-1S", None)]
    #[case("1x", None)]
    #[case("", None)]
    fn timeouts(#[case] text: &str, #[case] nanoseconds: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", text.parse().unwrap());
        assert_eq!(timeout(&headers), nanoseconds.map(Duration::from_nanos));
    }

    #[test]
    fn messages_are_encoded() {
        assert_eq!(encoded("50% of\né"), "50%25 of%0A%C3%A9");
    }
}
