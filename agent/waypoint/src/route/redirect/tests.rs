use http::{HeaderMap, Method};
use l7::{
    DerivedPort::{FromProtocolDefault, FromRequestPort},
    redirect::{Path as To, Port::Derived, Port::Number},
};
use rstest::rstest;

use super::*;

fn form(scheme: &str, host: &str, port: Option<l7::redirect::Port>, path: Option<To>) -> l7::Redirect {
    l7::Redirect { status: 302, scheme: scheme.into(), host: host.into(), port, path }
}

fn derived(port: l7::DerivedPort) -> Option<l7::redirect::Port> {
    Some(Derived(port.into()))
}

fn full(path: &str) -> Option<To> {
    Some(To::Full(path.into()))
}

fn prefix(path: &str) -> Option<To> {
    Some(To::Prefix(path.into()))
}

#[rstest]
#[case::host(form("", "b", None, None), 80, "http://b/foo/bar?q=1")]
#[case::host_on_another_port(form("", "b", None, None), 8080, "http://b:8080/foo/bar?q=1")]
#[case::scheme_brings_its_port(form("https", "", None, None), 8080, "https://a/foo/bar?q=1")]
#[case::port(form("", "", Some(Number(8083)), None), 80, "http://a:8083/foo/bar?q=1")]
#[case::default_is_not_written(form("", "", Some(Number(80)), None), 8080, "http://a/foo/bar?q=1")]
#[case::default_of_the_new_scheme(form("https", "", Some(Number(443)), None), 80, "https://a/foo/bar?q=1")]
#[case::default_of_the_other(form("https", "", Some(Number(80)), None), 80, "https://a:80/foo/bar?q=1")]
#[case::of_protocol(form("", "b", derived(FromProtocolDefault), None), 8080, "http://b/foo/bar?q=1")]
#[case::of_request(form("https", "b", derived(FromRequestPort), None), 8080, "https://b:8080/foo/bar?q=1")]
#[case::of_request_default(form("https", "b", derived(FromRequestPort), None), 443, "https://b/foo/bar?q=1")]
#[case::full(form("", "b", None, full("/x")), 80, "http://b/x?q=1")]
#[case::full_with_query(form("", "b", None, full("/x?y=2")), 80, "http://b/x?y=2")]
#[case::prefix(form("", "b", None, prefix("/x")), 80, "http://b/x/bar?q=1")]
#[case::prefix_slash(form("", "b", None, prefix("/")), 80, "http://b/bar?q=1")]
#[case::ipv6(form("", "[::1]", None, None), 8080, "http://[::1]:8080/foo/bar?q=1")]
fn location(#[case] form: l7::Redirect, #[case] port: u16, #[case] expected: &str) {
    let headers = HeaderMap::new();
    let request = RequestHead {
        method: &Method::GET,
        scheme: "http",
        authority: "a:1234",
        path: "/foo/bar",
        query: Some("q=1"),
        headers: &headers,
    };
    let redirect = Redirect::compile(&form).unwrap();
    let response = redirect.response(&request, port, PathMatched::Segments(4));
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], expected);
}

#[rstest]
#[case("a", "a")]
#[case("a:80", "a")]
#[case("[::1]:80", "[::1]")]
#[case("[::1]", "[::1]")]
#[case("u:p@a:80", "a")]
#[case("", "")]
fn host_without_port(#[case] authority: &str, #[case] expected: &str) {
    assert_eq!(host_of(authority), expected);
}

#[test]
fn without_a_host_it_is_relative() {
    let headers = HeaderMap::new();
    let (method, path) = (&Method::GET, "/foo");
    let request = RequestHead { method, scheme: "http", authority: "", path, query: None, headers: &headers };
    let redirect = Redirect::compile(&form("", "", None, full("/x"))).unwrap();
    assert_eq!(redirect.response(&request, 80, PathMatched::Any).headers()["location"], "/x");
}

#[rstest]
#[case::status(l7::Redirect { status: 304, ..form("", "a", None, None) }, "status")]
#[case::no_status(l7::Redirect { status: 0, ..form("", "a", None, None) }, "status")]
#[case::scheme(form("ftp", "", None, None), "scheme")]
#[case::port_in_host(form("", "a:80", None, None), "host")]
#[case::host(form("", "a/b", None, None), "host")]
#[case::port(form("", "", Some(Number(0)), None), "number")]
#[case::derived(form("", "", Some(Derived(7)), None), "derived")]
#[case::path(form("", "", None, full("/a b")), "full")]
fn is_refused(#[case] form: l7::Redirect, #[case] path: &str) {
    assert_eq!(Redirect::compile(&form).unwrap_err().path, path);
}
