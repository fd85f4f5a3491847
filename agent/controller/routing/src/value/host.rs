//! Host names and their wildcards.

/// A host, all hosts below one (`*.a`), or all (`*`). Addresses are hosts too.
pub(crate) fn is_host(text: &str) -> bool {
    let part = |part: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=63).contains(&part.len())
            && part.bytes().all(inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    if text == "*" || text.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    let name = name.strip_suffix('.').unwrap_or(name);
    text.len() <= 253 && name.split('.').all(part)
}

/// Whether every host that `inner` means is one that `outer` means. Both in lower case.
pub fn covers(outer: &str, inner: &str) -> bool {
    match outer.strip_prefix('*') {
        None => outer == inner,
        Some("") => true,
        // `*.a` is below `a`, and so is `*.b.a`.
        Some(suffix) => {
            inner.strip_prefix('*').unwrap_or(inner).ends_with(suffix) && inner.len() >= outer.len()
        }
    }
}

/// How closely a pattern names a host: an exact name most, then the longest wildcard.
pub(crate) fn specificity(pattern: &str) -> usize {
    if pattern.starts_with('*') { pattern.len() } else { usize::MAX }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::same("a.b", "a.b", true)]
    #[case::other("a.b", "c.b", false)]
    #[case::all("*", "a", true)]
    #[case::all_of_all("*", "*.a", true)]
    #[case::below("*.b", "a.b", true)]
    #[case::deep("*.b", "x.a.b", true)]
    #[case::not_itself("*.b", "b", false)]
    #[case::narrower("*.b", "*.a.b", true)]
    #[case::equal("*.b", "*.b", true)]
    #[case::wider("*.a.b", "*.b", false)]
    #[case::exact_is_no_wildcard("a.b", "*.b", false)]
    fn covered(#[case] outer: &str, #[case] inner: &str, #[case] expected: bool) {
        assert_eq!(covers(outer, inner), expected);
    }

    #[rstest]
    #[case("reviews", true)]
    #[case("*", true)]
    #[case("*.example.com", true)]
    #[case("a.example.com.", true)]
    #[case("10.0.0.1", true)]
    #[case("::1", true)]
    #[case("", false)]
    #[case("*a.com", false)]
    #[case("a..b", false)]
    #[case("a/b", false)]
    #[case("a.com:80", false)]
    fn hosts(#[case] text: &str, #[case] good: bool) {
        assert_eq!(is_host(text), good);
    }
}
