use PathNormalization::{Base, DecodeAndMergeSlashes, MergeSlashes, None as Off};
use http::Request;
use proptest::prelude::*;
use rstest::rstest;

use super::*;

/// What each mode beside `None` makes of a path.
#[rstest]
#[case::plain("/a/b", ["/a/b", "/a/b", "/a/b"])]
#[case::root("/", ["/", "/", "/"])]
#[case::slash_at_the_end("/a/", ["/a/", "/a/", "/a/"])]
#[case::dot("/a/./b", ["/a/b", "/a/b", "/a/b"])]
#[case::dot_at_the_end("/a/.", ["/a/", "/a/", "/a/"])]
#[case::only_a_dot("/.", ["/", "/", "/"])]
#[case::dots("/a/../b", ["/b", "/b", "/b"])]
#[case::dots_at_the_end("/a/b/..", ["/a/", "/a/", "/a/"])]
#[case::dots_beyond_the_root("/../../b", ["/b", "/b", "/b"])]
#[case::only_dots("/..", ["/", "/", "/"])]
#[case::three_dots("/a/.../b", ["/a/.../b", "/a/.../b", "/a/.../b"])]
#[case::hidden("/.a/b.", ["/.a/b.", "/.a/b.", "/.a/b."])]
#[case::parameter_is_no_dots("/a/..;/b", ["/a/..;/b", "/a/..;/b", "/a/..;/b"])]
#[case::slashes("//a//b//", ["//a//b//", "/a/b/", "/a/b/"])]
#[case::dots_take_an_empty_segment("/a//../b", ["/a/b", "/a/b", "/a/b"])]
#[case::backslash(r"/a\b", ["/a/b", "/a/b", "/a/b"])]
#[case::backslash_dots(r"/a\..\b", ["/b", "/b", "/b"])]
#[case::backslash_at_the_end(r"/a\", ["/a/", "/a/", "/a/"])]
#[case::encoded_letter("/%61dmin", ["/admin", "/admin", "/admin"])]
#[case::encoded_dots("/a/%2e%2E/b", ["/b", "/b", "/b"])]
#[case::half_encoded_dots("/a/.%2e/b", ["/b", "/b", "/b"])]
#[case::encoded_tilde("/%7Ea%2D%5F", ["/~a-_", "/~a-_", "/~a-_"])]
#[case::encoded_slash("/a%2fb%2Fc", ["/a%2fb%2Fc", "/a%2fb%2Fc", "/a/b/c"])]
#[case::encoded_backslash("/a%5cb%5Cc", ["/a%5cb%5Cc", "/a%5cb%5Cc", "/a/b/c"])]
#[case::dots_after_encoded_slash("/a%2f../b", ["/a%2f../b", "/a%2f../b", "/b"])]
#[case::all_encoded("/a%2f%2e%2e%2fb", ["/a%2f..%2fb", "/a%2f..%2fb", "/b"])]
#[case::encoded_slashes("/a%2f%2fb", ["/a%2f%2fb", "/a%2f%2fb", "/a/b"])]
#[case::twice_encoded("/a%252fb", ["/a%252fb", "/a%252fb", "/a%252fb"])]
#[case::twice_encoded_dots("/%252e%252e/b", ["/%252e%252e/b", "/%252e%252e/b", "/%252e%252e/b"])]
#[case::escape_out_of_escapes("/%%32%65%%32%65/b", ["/%252e%252e/b", "/%252e%252e/b", "/%252e%252e/b"])]
#[case::no_escape("/100%", ["/100%25", "/100%25", "/100%25"])]
#[case::short_escape("/%2", ["/%252", "/%252", "/%252"])]
#[case::not_hexadecimal("/%g0/%u002e", ["/%25g0/%25u002e", "/%25g0/%25u002e", "/%25g0/%25u002e"])]
#[case::overlong_utf8("/%c0%ae%c0%ae/b", ["/%c0%ae%c0%ae/b", "/%c0%ae%c0%ae/b", "/%c0%ae%c0%ae/b"])]
#[case::encoded_question_mark("/a%3fb%23", ["/a%3fb%23", "/a%3fb%23", "/a%3fb%23"])]
#[case::encoded_space("/a%20b", ["/a%20b", "/a%20b", "/a%20b"])]
#[case::utf8("/é/%C3%A9/../é", ["/é/é", "/é/é", "/é/é"])]
#[case::star("*", ["*", "*", "*"])]
fn forms(#[case] path: &str, #[case] expected: [&str; 3]) {
    assert_eq!(normalized(path, Off).unwrap(), path);
    let found = [Base, MergeSlashes, DecodeAndMergeSlashes].map(|mode| normalized(path, mode).unwrap());
    assert_eq!(found, expected);
}

#[rstest]
fn nul_is_refused(#[values(Base, MergeSlashes, DecodeAndMergeSlashes)] mode: PathNormalization) {
    assert_eq!(normalized("/a%00.html", mode), Err(BadPath::Nul));
    assert_eq!(normalized("/a%00.html", Off).unwrap(), "/a%00.html");
}

#[rstest]
#[case("/a/../b?c/../d", "/b?c/../d")]
#[case("http://h:80/a/../b", "http://h:80/b")]
#[case("/a/b?c", "/a/b?c")]
#[case("*", "*")]
#[case("h:443", "h:443")]
fn requests(#[case] target: &str, #[case] expected: &str) {
    let mut parts = Request::get(target).body(()).unwrap().into_parts().0;
    normalize(&mut parts, Base).unwrap();
    assert_eq!(parts.uri.to_string(), expected);
}

proptest! {
    #[test]
    fn the_normal_form_is_a_fixed_point(path in "/([a.%/\\\\é]|%2[eEfF5]|%5[cC]|%61|%|2|e){0,20}") {
        for mode in [Off, Base, MergeSlashes, DecodeAndMergeSlashes] {
            let once = normalized(&path, mode).unwrap().into_owned();
            prop_assert_eq!(normalized(&once, mode).unwrap(), once.as_str());
            prop_assert!(once.starts_with('/'));
            if mode != Off {
                prop_assert!(!once.split('/').any(|segment| segment == "." || segment == ".."), "{}", once);
                prop_assert!(!once.contains('\\'));
            }
            if mode == MergeSlashes || mode == DecodeAndMergeSlashes {
                prop_assert!(!once.contains("//"));
            }
        }
    }
}
