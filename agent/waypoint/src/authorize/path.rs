//! Paths, and templates of paths.

use regex::bytes::Regex;
use weir_proto::l7;
use weir_proto::l7::authorization_path::Kind;

use crate::route::{Reason, Rejection, TextMatch};

#[derive(Debug)]
pub(super) enum PathMatch {
    Text(TextMatch),
    Template(Regex),
}

impl PathMatch {
    pub(super) fn compile(form: &l7::AuthorizationPath) -> Result<Self, Rejection> {
        match &form.kind {
            None => Err(Reason::Missing.into()),
            Some(Kind::Text(text)) => TextMatch::compile(text).map(Self::Text),
            Some(Kind::Template(text)) => {
                template(text).map(Self::Template).map_err(|reason| Rejection::of(reason).within("template"))
            }
        }
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Text(text) => text.matches(path.as_bytes()),
            Self::Template(regex) => regex.is_match(path.as_bytes()),
        }
    }
}

/// `{*}` is one segment that is not empty, `{**}` anything, after which no other of the two may come.
fn template(text: &str) -> Result<Regex, Reason> {
    let mut pattern = String::from("(?s-u)^");
    let (mut rest, mut over) = (text, false);
    while let Some(start) = rest.find(['{', '}']) {
        pattern.push_str(&regex::escape(&rest[..start]));
        let operator = &rest[start..];
        let (length, piece) = match operator {
            _ if over => return Err(Reason::Meaningless("nothing may follow {**} but text")),
            _ if operator.starts_with("{*}") => (3, "[^/]+"),
            _ if operator.starts_with("{**}") => (4, ".*"),
            _ => return Err(Reason::Meaningless("a template knows {*} and {**} only")),
        };
        over = length == 4;
        pattern.push_str(piece);
        rest = &operator[length..];
    }
    pattern.push_str(&regex::escape(rest));
    pattern.push('$');
    Regex::new(&pattern).map_err(|error| Reason::Pattern(error.to_string()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/foo/{*}", "/foo/bar", true)]
    #[case("/foo/{*}", "/foo/", false)]
    #[case("/foo/{*}", "/foo/bar/baz", false)]
    #[case("/foo/{**}", "/foo/bar/baz", true)]
    #[case("/foo/{**}", "/foo/", true)]
    #[case("/foo/{**}", "/foo", false)]
    #[case("/foo/{**}/", "/foo/bar/baz/", true)]
    #[case("/foo/{**}/", "/foo//", true)]
    #[case("/foo/{**}/", "/foo/bar", false)]
    #[case("/foo/{*}/bar/{**}", "/foo/x/bar/y/z", true)]
    #[case("/foo/{*}/bar/{**}", "/foo/x/y/bar/z", false)]
    #[case("/a.b/{*}", "/aXb/c", false)]
    #[case("/{*}.txt", "/x.txt", true)]
    #[case("/{*}", "/a\nb", true)]
    fn templates(#[case] text: &str, #[case] path: &str, #[case] expected: bool) {
        assert_eq!(template(text).unwrap().is_match(path.as_bytes()), expected);
    }

    #[rstest]
    #[case("/{**}/{*}")]
    #[case("/{**}{**}")]
    #[case("/{name}")]
    #[case("/a}")]
    #[case("/{")]
    fn refused(#[case] text: &str) {
        assert!(template(text).is_err());
    }
}
