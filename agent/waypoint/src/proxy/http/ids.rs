//! The names by which a request is found again: `x-request-id` and W3C's `traceparent`. What a client brings is carried
//! on as it is, and so is B3.

use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const B3: [HeaderName; 2] = [HeaderName::from_static("b3"), HeaderName::from_static("x-b3-traceid")];

/// Gives a request an id if it has none.
pub(crate) fn request_id(headers: &mut HeaderMap, random: impl FnOnce() -> u128) {
    if !headers.contains_key(REQUEST_ID)
        && let Ok(id) = HeaderValue::from_bytes(&uuid(random()))
    {
        headers.insert(REQUEST_ID, id);
    }
}

/// Gives a request a trace that is not sampled, if it has none.
pub(crate) fn traceparent(headers: &mut HeaderMap, random: impl FnOnce() -> (u128, u64)) {
    if headers.contains_key(TRACEPARENT) || B3.iter().any(|name| headers.contains_key(name)) {
        return;
    }
    // Zero is no id in either place.
    let (trace, span) = random();
    let text = format!("00-{:032x}-{:016x}-00", trace.max(1), span.max(1));
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(TRACEPARENT, value);
    }
}

/// RFC 9562, version 4.
fn uuid(random: u128) -> [u8; 36] {
    let number = random & !(0xf << 76) & !(3 << 62) | 4 << 76 | 2 << 62;
    let mut text = [b'-'; 36];
    let places = (0..36).filter(|place| !matches!(place, 8 | 13 | 18 | 23));
    for (digit, place) in places.enumerate() {
        text[place] = b"0123456789abcdef"[(number >> (124 - 4 * digit)) as usize & 15];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids() {
        assert_eq!(&uuid(0), b"00000000-0000-4000-8000-000000000000");
        assert_eq!(&uuid(u128::MAX), b"ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(&uuid(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef), b"01234567-89ab-4def-8123-456789abcdef");
    }

    #[test]
    fn what_is_there_stays() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static("mine"));
        headers.insert("x-b3-traceid", HeaderValue::from_static("theirs"));
        request_id(&mut headers, || 0);
        traceparent(&mut headers, || (1, 1));
        assert_eq!(headers[REQUEST_ID], "mine");
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn what_is_missing_is_made() {
        let mut headers = HeaderMap::new();
        request_id(&mut headers, || 7);
        traceparent(&mut headers, || (0xabc, 0));
        assert_eq!(headers[REQUEST_ID], "00000000-0000-4000-8000-000000000007");
        assert_eq!(headers["traceparent"], "00-00000000000000000000000000000abc-0000000000000001-00");
    }
}
