//! The `forwarded` header (RFC 7239) as Istio's node proxies write it: `for="ip:port"` and, if a service was
//! dialled, `;host=name`. Telemetry only: the source's address is the TCP peer's.

use std::net::SocketAddr;

use http::HeaderValue;

/// The header for a connection from `source` to the service with this hostname.
pub fn header(source: SocketAddr, service: Option<&str>) -> Option<HeaderValue> {
    let text = match service {
        Some(host) => format!("for=\"{source}\";host={host}"),
        None => format!("for=\"{source}\""),
    };
    HeaderValue::try_from(text).ok()
}

/// The `host` parameter of the first element.
pub fn host(header: &str) -> Option<&str> {
    let element = header.split(',').next()?;
    element.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (key.trim().eq_ignore_ascii_case("host") && !value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        let source = "10.1.1.1:40000".parse().unwrap();
        let with = header(source, Some("web.shop.svc.cluster.local")).unwrap();
        let with = with.to_str().unwrap();
        assert_eq!(with, "for=\"10.1.1.1:40000\";host=web.shop.svc.cluster.local");
        assert_eq!(host(with), Some("web.shop.svc.cluster.local"));
        let without = header("[fd00::1]:9".parse().unwrap(), None).unwrap();
        assert_eq!(without.to_str().unwrap(), "for=\"[fd00::1]:9\"");
        assert_eq!(host(without.to_str().unwrap()), None);
    }

    #[test]
    fn read_leniently() {
        assert_eq!(host("for=x; Host=\"a.b\" , host=c"), Some("a.b"));
        assert_eq!(host("host="), None);
        assert_eq!(host(""), None);
    }
}
