use http::Request;
use rstest::rstest;

use super::*;

fn form(set: &[(&str, &str)], add: &[(&str, &str)], remove: &[&str]) -> l7::HeaderOperations {
    let fields = |fields: &[(&str, &str)]| {
        let field =
            |(name, value): &(&str, &str)| l7::Header { name: (*name).into(), value: (*value).into() };
        fields.iter().map(field).collect()
    };
    l7::HeaderOperations {
        set: fields(set),
        add: fields(add),
        remove: remove.iter().map(ToString::to_string).collect(),
    }
}

fn parts(target: &str, headers: &[(&str, &str)]) -> Parts {
    let request =
        headers.iter().fold(Request::get(target), |request, (name, value)| request.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort();
    lines
}

#[rstest]
#[case::nothing(form(&[], &[], &[]), &["a: 1", "a: 2"])]
#[case::set_replaces_all(form(&[("a", "3")], &[], &[]), &["a: 3"])]
#[case::set_makes(form(&[("b", "3")], &[], &[]), &["a: 1", "a: 2", "b: 3"])]
#[case::add(form(&[], &[("a", "3")], &[]), &["a: 1", "a: 2", "a: 3"])]
#[case::remove(form(&[], &[], &["a"]), &[])]
#[case::remove_what_is_not_there(form(&[], &[], &["b"]), &["a: 1", "a: 2"])]
#[case::set_then_add(form(&[("a", "3")], &[("a", "4")], &[]), &["a: 3", "a: 4"])]
#[case::remove_comes_last(form(&[("b", "3")], &[("a", "4")], &["a", "b"]), &[])]
#[case::of_several_the_last_is_set(form(&[("a", "3"), ("a", "4")], &[], &[]), &["a: 4"])]
#[case::case_of_names(form(&[("B", "3")], &[], &["A"]), &["b: 3"])]
fn changes(#[case] form: l7::HeaderOperations, #[case] expected: &[&str]) {
    let mut parts = parts("/", &[("a", "1"), ("a", "2")]);
    HeaderOperations::request(Some(&form)).unwrap().change_request(&mut parts);
    assert_eq!(lines(&parts.headers), expected);
    let mut headers = self::parts("/", &[("a", "1"), ("a", "2")]).headers;
    HeaderOperations::response(Some(&form)).unwrap().change_response(&mut headers);
    assert_eq!(lines(&headers), expected);
}

#[rstest]
#[case::http1("/x?y", &[("host", "a")], "/x?y", &["host: b:81"])]
#[case::http2("http://a/x?y", &[], "http://b:81/x?y", &[])]
#[case::both("http://a/x", &[("host", "a")], "http://b:81/x", &["host: b:81"])]
#[case::none("/x", &[], "/x", &["host: b:81"])]
fn the_authority_is_set(
    #[case] target: &str,
    #[case] headers: &[(&str, &str)],
    #[case] uri: &str,
    #[case] expected: &[&str],
    #[values("host", "Host", ":authority")] name: &str,
) {
    let mut parts = parts(target, headers);
    let operations = HeaderOperations::request(Some(&form(&[(name, "b:81")], &[], &[]))).unwrap();
    operations.change_request(&mut parts);
    assert_eq!(parts.uri.to_string(), uri);
    assert_eq!(lines(&parts.headers), expected);
}

#[rstest]
#[case::pseudo(form(&[(":path", "/")], &[], &[]), "set[0].name")]
#[case::hop_by_hop(form(&[], &[("Transfer-Encoding", "chunked")], &[]), "add[0].name")]
#[case::length(form(&[], &[], &["content-length"]), "remove[0]")]
#[case::two_authorities(form(&[("host", "a"), (":authority", "b")], &[], &[]), "set")]
#[case::not_an_authority(form(&[("host", "a b")], &[], &[]), "set")]
#[case::user_name(form(&[("host", "u@a")], &[], &[]), "set")]
#[case::authority_added(form(&[], &[("host", "a")], &[]), "add[0].name")]
#[case::authority_removed(form(&[], &[], &[":authority"]), "remove[0]")]
#[case::no_name(form(&[("a b", "")], &[], &[]), "set[0].name")]
#[case::no_value(form(&[("a", "b\r\nc: d")], &[], &[]), "set[0].value")]
fn is_refused(#[case] form: l7::HeaderOperations, #[case] path: &str) {
    assert_eq!(HeaderOperations::request(Some(&form)).unwrap_err().path, path);
}

#[rstest]
fn responses_have_no_authority(#[values("host", ":authority")] name: &str) {
    let form = form(&[(name, "a")], &[], &[]);
    assert_eq!(HeaderOperations::response(Some(&form)).unwrap_err().path, "set[0].name");
}
