//! Pieces of request targets.

use http::uri::{Authority, PathAndQuery};

use super::quoted;

/// What a request may be rewritten to, or a client be sent to: a host, perhaps with a port.
pub(crate) fn authority(text: &str) -> Result<(), String> {
    let good = Authority::try_from(text).is_ok_and(|authority| !authority.as_str().contains('@'));
    if good { Ok(()) } else { Err(format!("{} is not a host", quoted(text))) }
}

/// A path, a piece of one, or a path with a query.
pub(crate) fn path(text: &str) -> Result<(), String> {
    let good = PathAndQuery::try_from(format!("/{text}")).is_ok() && !text.contains('#');
    if good { Ok(()) } else { Err(format!("{} is not a path", quoted(text))) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a.example", true)]
    #[case("a.example:80", true)]
    #[case("[::1]:80", true)]
    #[case("user@a", false)]
    #[case("a b", false)]
    #[case("", false)]
    fn authorities(#[case] text: &str, #[case] good: bool) {
        assert_eq!(authority(text).is_ok(), good);
    }

    #[rstest]
    #[case("/a/b", true)]
    #[case("/a?b=c", true)]
    #[case("", true)]
    #[case("a b", false)]
    #[case("/a#b", false)]
    fn paths(#[case] text: &str, #[case] good: bool) {
        assert_eq!(path(text).is_ok(), good);
    }
}
