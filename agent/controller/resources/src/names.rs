//! Which names Kubernetes and Istio let through.
//!
//! A cluster has checked them before we see an object; a file has not. A `/` in a name would make two objects one where
//! names are joined.

/// A label of RFC 1123: a namespace, a service.
pub(crate) fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_part(text)
}

/// Labels joined by dots: the name of most kinds.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_part)
}

/// The name of a label: `app`, `istio.io/use-waypoint`.
pub(crate) fn is_label_name(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_qualified(name),
        None => is_qualified(text),
    }
}

/// The value of a label; it may be empty.
pub(crate) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_qualified(text)
}

/// The name of a host: also `_` and capitals, which Istio takes, and the dot at the end is not written.
pub(crate) fn is_host(text: &str) -> bool {
    let part = |part: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=63).contains(&part.len())
            && part.bytes().all(inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(part)
}

/// A host, or all below one: `*.example.com`.
pub(crate) fn is_wildcard_host(text: &str) -> bool {
    is_host(text.strip_prefix("*.").unwrap_or(text))
}

fn is_part(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_qualified(text: &str) -> bool {
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    text.len() <= 63 && text.bytes().all(inner) && edge(text.bytes().next()) && edge(text.bytes().last())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("web-1", true, true)]
    #[case::dots("web.1", false, true)]
    #[case::empty("", false, false)]
    #[case::empty_part("web..1", false, false)]
    #[case::dash_first("-web", false, false)]
    #[case::dash_last("web-", false, false)]
    #[case::capital("Web", false, false)]
    #[case::slash("shop/web", false, false)]
    #[case::underscore("a_b", false, false)]
    #[case::sixty_four(&"a".repeat(64), false, true)]
    #[case::too_long(&"a.".repeat(130), false, false)]
    fn names(#[case] text: &str, #[case] label: bool, #[case] subdomain: bool) {
        assert_eq!((is_label(text), is_subdomain(text)), (label, subdomain));
    }

    #[rstest]
    #[case::plain("app", true)]
    #[case::prefixed("app.kubernetes.io/name", true)]
    #[case::two_slashes("a/b/c", false)]
    #[case::no_prefix("/name", false)]
    #[case::no_name("a.b/", false)]
    #[case::capital_prefix("A/b", false)]
    #[case::underscore("a_b.C", true)]
    #[case::edge("_a", false)]
    #[case::space("a b", false)]
    fn label_names(#[case] text: &str, #[case] good: bool) {
        assert_eq!(is_label_name(text), good);
    }

    #[rstest]
    #[case::plain("example.com", true)]
    #[case::one("db", true)]
    #[case::wildcard("*.example.com", true)]
    #[case::all("*", false)]
    #[case::inner("a.*.com", false)]
    #[case::partly("*a.com", false)]
    #[case::trailing_dot("a.com.", false)]
    #[case::port("a.com:80", false)]
    #[case::slash("ns/a.com", false)]
    #[case::underscore("_sip.a.com", true)]
    fn hosts(#[case] text: &str, #[case] good: bool) {
        assert_eq!(is_wildcard_host(text), good);
    }
}
