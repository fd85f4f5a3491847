//! Headers that belong to one connection stay there; what says where a request has been is added.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Takes away what belongs to the connection that a message came by (RFC 9110 7.6.1).
pub(crate) fn remove(headers: &mut HeaderMap) {
    // One look at each header is less than one for each name, which most messages do not have.
    if !headers.keys().any(|name| HOPS.contains(name)) {
        return;
    }
    // Most say nothing but `keep-alive`; then nothing is allocated.
    if headers.contains_key(header::CONNECTION) {
        for name in named(headers) {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    for name in [header::TRANSFER_ENCODING, header::UPGRADE, KEEP_ALIVE, PROXY_CONNECTION, HTTP2_SETTINGS] {
        headers.remove(name);
    }
    if let Some(te) = headers.remove(header::TE) {
        let trailers =
            te.as_bytes().split(|b| *b == b',').any(|t| t.trim_ascii().eq_ignore_ascii_case(b"trailers"));
        if trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
    }
}

/// Takes out of trailers what only a head may say: what frames, routes, authenticates or describes a message (RFC 9110
/// 6.5.1). Whoever merges them into the head would believe it.
pub(crate) fn remove_from_trailers(trailers: &mut HeaderMap) {
    // Most trailers have none of them; then nothing is allocated.
    if trailers.keys().any(is_of_a_head) {
        let found: Vec<_> = trailers.keys().filter(|name| is_of_a_head(name)).cloned().collect();
        for name in found {
            trailers.remove(name);
        }
    }
}

fn is_of_a_head(name: &HeaderName) -> bool {
    OF_A_HEAD.contains(name)
}

/// What `connection` names, but for what decides where a message ends and whose it is: to have us forget those would be
/// an attack.
fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(header::CONNECTION).iter();
    let tokens = lines.flat_map(|line| line.as_bytes().split(|b| *b == b',')).map(<[u8]>::trim_ascii);
    // This one goes in any case.
    let tokens = tokens.filter(|token| !token.eq_ignore_ascii_case(b"keep-alive"));
    let names = tokens.filter_map(|token| HeaderName::from_bytes(token).ok());
    names.filter(|name| !KEPT.contains(name)).collect()
}

/// Adds who asked, and how, for the backend. `client` is [`address`]'s.
pub(crate) fn add_forwarded(headers: &mut HeaderMap, client: &HeaderValue, scheme: &'static str) {
    if headers.contains_key(FORWARDED_FOR) {
        let before = headers.get_all(FORWARDED_FOR).iter();
        let list: Vec<&[u8]> = before.chain([client]).map(HeaderValue::as_bytes).collect();
        if let Ok(value) = HeaderValue::from_bytes(&list.join(&b","[..])) {
            headers.insert(FORWARDED_FOR, value);
        }
    } else {
        headers.insert(FORWARDED_FOR, client.clone());
    }
    if !headers.contains_key(FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
}

/// A client's address as it is written; made once for a connection.
pub(crate) fn address(client: IpAddr) -> HeaderValue {
    // An address is visible ASCII.
    HeaderValue::try_from(client.to_canonical().to_string()).unwrap_or(HeaderValue::from_static("unknown"))
}

const HOPS: [HeaderName; 7] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::TE,
    header::UPGRADE,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    HTTP2_SETTINGS,
];
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const OF_A_HEAD: [HeaderName; 19] = [
    header::TRANSFER_ENCODING,
    header::CONTENT_LENGTH,
    header::CONNECTION,
    header::HOST,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::EXPECT,
    header::CONTENT_ENCODING,
    header::CONTENT_TYPE,
    header::CONTENT_RANGE,
    header::RANGE,
    header::CACHE_CONTROL,
    header::MAX_FORWARDS,
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    header::SET_COOKIE,
    FORWARDED_FOR,
];
const KEPT: [HeaderName; 7] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::AUTHORIZATION,
    header::COOKIE,
    header::TE,
    FORWARDED_FOR,
    FORWARDED_PROTO,
];

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        headers.iter().map(|(n, v)| (n.parse::<HeaderName>().unwrap(), v.parse().unwrap())).collect()
    }

    #[rstest]
    #[case(&[("a", "b")], &["a"])]
    #[case(&[("connection", "keep-alive, A"), ("keep-alive", "5"), ("a", "b"), ("c", "d")], &["c"])]
    #[case(&[("connection", "host, content-length"), ("host", "b"), ("content-length", "1")], &["host", "content-length"])]
    #[case(&[("transfer-encoding", "chunked"), ("upgrade", "x"), ("proxy-connection", "y")], &[])]
    #[case(&[("te", "gzip")], &[])]
    #[case(&[("te", "gzip, trailers"), ("trailer", "x"), ("connection", "TE")], &["te", "trailer"])]
    fn hops(#[case] headers: &[(&str, &str)], #[case] left: &[&str]) {
        let mut headers = map(headers);
        remove(&mut headers);
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        let mut left = left.to_vec();
        names.sort_unstable();
        left.sort_unstable();
        assert_eq!(names, left);
    }

    #[test]
    fn trailers() {
        let mut trailers = map(&[
            ("grpc-status", "0"),
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
            ("authorization", "x"),
            ("x-sum", "1"),
        ]);
        remove_from_trailers(&mut trailers);
        assert_eq!(trailers, map(&[("grpc-status", "0"), ("x-sum", "1")]));
    }

    #[rstest]
    #[case(&[], "10.0.0.1", "10.0.0.1", "http")]
    #[case(&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https")], "10.0.0.1", "1.1.1.1,10.0.0.1", "https")]
    #[case(&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")], "::ffff:10.0.0.1", "1.1.1.1,2.2.2.2,10.0.0.1", "http")]
    fn forwarded(
        #[case] headers: &[(&str, &str)],
        #[case] client: &str,
        #[case] expected: &str,
        #[case] proto: &str,
    ) {
        let mut headers = map(headers);
        add_forwarded(&mut headers, &address(client.parse().unwrap()), "http");
        assert_eq!(headers["x-forwarded-for"], expected);
        assert_eq!(headers["x-forwarded-proto"], proto);
        assert_eq!(headers.get_all("x-forwarded-for").iter().count(), 1);
    }
}
