use http::Request;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use PathMatched::{Any, Prefix, Segments, Whole};

fn rewritten(path: l7::rewrite::Path, matched: PathMatched, target: &str) -> String {
    let form = l7::Rewrite { authority: String::new(), path: Some(path) };
    let mut parts = Request::get(target).body(()).unwrap().into_parts().0;
    Rewrite::compile(&form).unwrap().change(&mut parts, matched).unwrap();
    parts.uri.to_string()
}

#[rstest]
// The table of the Gateway API's HTTPPathModifier.
#[case("/foo/bar", Segments(4), "/xyz", "/xyz/bar")]
#[case("/foo/bar", Segments(4), "/xyz/", "/xyz/bar")]
#[case("/foo", Segments(4), "/xyz", "/xyz")]
#[case("/foo/", Segments(4), "/xyz", "/xyz/")]
#[case("/foo/bar", Segments(4), "", "/bar")]
#[case("/foo/", Segments(4), "", "/")]
#[case("/foo", Segments(4), "", "/")]
#[case("/foo/", Segments(4), "/", "/")]
#[case("/foo", Segments(4), "/", "/")]
// The same with the root as prefix.
#[case("/foo", Segments(0), "/xyz", "/xyz/foo")]
#[case("/", Segments(0), "/xyz", "/xyz")]
#[case("/", Segments(0), "/", "/")]
#[case("/foo", Segments(0), "/", "/foo")]
// VirtualService.
#[case("/foo/bar", Prefix(4), "/xyz", "/xyz/bar")]
#[case("/foo/bar", Prefix(4), "/xyz/", "/xyz//bar")]
#[case("/foobar", Prefix(4), "/xyz", "/xyzbar")]
#[case("/foo/bar", Prefix(5), "/", "/bar")]
#[case("/foo/bar", Any, "/xyz/", "/xyz/foo/bar")]
#[case("/foo/bar", Whole, "/xyz", "/xyz")]
#[case("/foo", Whole, "", "/")]
#[case("/foo", Prefix(4), "xyz", "/xyz")]
// Queries.
#[case("/foo/bar?a=b", Segments(4), "/xyz", "/xyz/bar?a=b")]
#[case("/foo?a=b", Whole, "/xyz?c=d", "/xyz?c=d&a=b")]
#[case("/foo?", Whole, "/xyz", "/xyz?")]
#[case("http://a/foo?a", Whole, "/xyz", "http://a/xyz?a")]
fn prefix(
    #[case] target: &str,
    #[case] matched: PathMatched,
    #[case] replacement: &str,
    #[case] expected: &str,
) {
    assert_eq!(rewritten(l7::rewrite::Path::Prefix(replacement.into()), matched, target), expected);
}

#[rstest]
#[case("/foo?a=b", "/xyz", "/xyz?a=b")]
#[case("/foo", "xyz", "/xyz")]
#[case("/foo", "/", "/")]
#[case("foo:80", "/xyz", "foo:80")]
fn full(#[case] target: &str, #[case] replacement: &str, #[case] expected: &str) {
    assert_eq!(rewritten(l7::rewrite::Path::Full(replacement.into()), Segments(1), target), expected);
}

#[rstest]
#[case::groups("/aaa/bbb", "/(.*)/(.*)", r"/\2/\1", "/bbb/aaa")]
#[case::whole_match("/a", "a", r"\0\0", "/aa")]
#[case::every_occurrence("/a/a?a", "a", "b", "/b/b?a")]
#[case::no_occurrence("/a", "x", "b", "/a")]
#[case::backslash("/a", "a", r"\\", r"/\")]
#[case::dollar_means_nothing("/a", "(a)", "$1", "/$1")]
#[case::group_without_part("/a", "(b)?a", r"x\1", "/x")]
#[case::istio_example(
    "/bookinfo/customer/1/info",
    "^/bookinfo/([^/]+)/([^/]+)/(.*)$",
    r"/\2/\3/\1",
    "/1/info/customer"
)]
// RE2 finds nothing before the first slash too; a path begins with a slash.
#[case::empty_matches("/abc", "b*", "-", "/-/-a-c-")]
fn regex(#[case] target: &str, #[case] text: &str, #[case] substitution: &str, #[case] expected: &str) {
    let form = l7::RegexRewrite { pattern: text.into(), substitution: substitution.into() };
    assert_eq!(rewritten(l7::rewrite::Path::Regex(form), Any, target), expected);
}

#[rstest]
#[case("http://a/x", "b", "http://b/x")]
#[case("http://a:80/x", "b:81", "http://b:81/x")]
fn authority_is_replaced(#[case] target: &str, #[case] authority: &str, #[case] expected: &str) {
    let form = l7::Rewrite { authority: authority.into(), path: None };
    let mut parts = Request::get(target).body(()).unwrap().into_parts().0;
    Rewrite::compile(&form).unwrap().change(&mut parts, Any).unwrap();
    assert_eq!(parts.uri.to_string(), expected);
}

#[rstest]
#[case::space(l7::rewrite::Path::Full("/a b".into()), "full")]
#[case::fragment(l7::rewrite::Path::Prefix("/a#b".into()), "prefix")]
#[case::pattern(regex_form("(", ""), "regex.pattern")]
#[case::no_group(regex_form("(a)", r"\2"), "regex.substitution")]
#[case::escape(regex_form("(a)", r"\n"), "regex.substitution")]
#[case::end(regex_form("(a)", r"\"), "regex.substitution")]
#[case::text(regex_form("(a)", "b c"), "regex.substitution")]
fn is_refused(#[case] path: l7::rewrite::Path, #[case] expected: &str) {
    let form = l7::Rewrite { authority: String::new(), path: Some(path) };
    assert_eq!(Rewrite::compile(&form).unwrap_err().path, expected);
}

fn regex_form(pattern: &str, substitution: &str) -> l7::rewrite::Path {
    l7::rewrite::Path::Regex(l7::RegexRewrite { pattern: pattern.into(), substitution: substitution.into() })
}

#[test]
fn a_path_that_grows_too_long_is_an_error() {
    let form = l7::Rewrite { path: Some(regex_form("a", &r"\0".repeat(1000))), ..Default::default() };
    let request = Request::get(format!("/{}", "a".repeat(1000)));
    let mut parts = request.body(()).unwrap().into_parts().0;
    assert_eq!(Rewrite::compile(&form).unwrap().change(&mut parts, Any), Err(BadRewrite));
}

proptest! {
    #[test]
    fn whatever_is_replaced_is_a_path(path in "/[a-z/é]{0,12}", replacement in "[a-z/]{0,6}", length in 0_usize..14) {
        for matched in [Any, Whole, Prefix(length), Segments(length)] {
            let replaced = target(replace_prefix(&path, matched, &replacement).into_bytes(), None);
            prop_assert!(replaced.starts_with(b"/"));
        }
    }
}
