use http::Method;
use l7::consistent_hash::Key as Form;
use rstest::rstest;

use super::*;

fn affinity(key: Form) -> Result<Affinity, Rejection> {
    Affinity::compile(&l7::ConsistentHash { key: Some(key), table: None })
}

fn cookie(ttl: Option<i64>, path: &str, attributes: &[&str]) -> Form {
    Form::Cookie(l7::Cookie {
        name: "user".into(),
        path: path.into(),
        ttl: ttl.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
        attributes: attributes.iter().map(ToString::to_string).collect(),
    })
}

fn key_of(key: Form, headers: &[(&'static str, &str)], query: Option<&str>, client: &str) -> HashKey {
    let field =
        |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
    let headers: HeaderMap = headers.iter().map(field).collect();
    let (method, path) = (&Method::GET, "/");
    let request = RequestHead { method, scheme: "http", authority: "a", path, query, headers: &headers };
    affinity(key).unwrap().key(&request, client.parse().unwrap(), 7)
}

fn header() -> Form {
    Form::Header("x-user".into())
}

fn parameter() -> Form {
    Form::QueryParameter("user".into())
}

#[rstest]
#[case::header(header(), &[("x-user", "jason")], None, true)]
#[case::no_header(header(), &[], None, false)]
#[case::parameter(parameter(), &[], Some("a=b&user=jason"), true)]
#[case::encoded(parameter(), &[], Some("user=%6aason"), true)]
#[case::no_parameter(parameter(), &[], Some("a=b"), false)]
#[case::cookie(cookie(None, "", &[]), &[("cookie", "a=b; user=jason; c=d")], None, true)]
#[case::quoted(cookie(None, "", &[]), &[("cookie", "user=\"jason\"")], None, true)]
#[case::second_field(cookie(None, "", &[]), &[("cookie", "a=b"), ("cookie", "user=jason")], None, true)]
#[case::other_cookie(cookie(None, "", &[]), &[("cookie", "superuser=jason")], None, false)]
#[case::empty_cookie(cookie(None, "", &[]), &[("cookie", "user=")], None, false)]
fn keys(
    #[case] form: Form,
    #[case] headers: &[(&'static str, &str)],
    #[case] query: Option<&str>,
    #[case] found: bool,
) {
    let key = key_of(form, headers, query, "10.0.0.1");
    assert_eq!(key, HashKey { hash: found.then(|| hash(b"jason")), cookie: None });
}

#[test]
fn addresses() {
    let of = |client| key_of(Form::SourceIp(true), &[], None, client).hash;
    assert_eq!(of("10.0.0.1"), of("::ffff:10.0.0.1"));
    assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    assert!(of("fd00::1").is_some());
    let client = "10.0.0.1".parse().unwrap();
    assert_eq!(affinity(Form::SourceIp(true)).unwrap().connection_key(client), of("10.0.0.1"));
    assert_eq!(affinity(header()).unwrap().connection_key(client), None);
}

#[rstest]
#[case::session(Some(0), "", &[], "; HttpOnly")]
#[case::path(Some(0), "/a", &[], "; Path=/a; HttpOnly")]
#[case::age(Some(60), "/", &["SameSite=Lax", "Secure"], "; Max-Age=60; Path=/; SameSite=Lax; Secure; HttpOnly")]
fn a_cookie_is_made(
    #[case] ttl: Option<i64>,
    #[case] path: &str,
    #[case] more: &[&str],
    #[case] expected: &str,
) {
    let key = key_of(cookie(ttl, path, more), &[], None, "10.0.0.1");
    let value = "00000000000000000000000000000007";
    assert_eq!(key.cookie.unwrap(), format!("user={value}{expected}"));
    // The next request brings it, and goes to the same place.
    let next = key_of(cookie(ttl, path, more), &[("cookie", &format!("user={value}"))], None, "10.0.0.1");
    assert_eq!(next, HashKey { hash: key.hash, cookie: None });
}

#[test]
fn no_cookie_is_made_without_a_lifetime() {
    assert_eq!(key_of(cookie(None, "/", &[]), &[], None, "10.0.0.1"), HashKey::default());
}

#[rstest]
#[case::header(Form::Header("a b".into()), "header")]
#[case::source_ip(Form::SourceIp(false), "source_ip")]
#[case::cookie(Form::Cookie(l7::Cookie::default()), "cookie.name")]
#[case::path(cookie(Some(0), "/; Domain=a", &[]), "cookie.path")]
#[case::attribute(cookie(Some(0), "", &["a\r\nb"]), "cookie.attributes")]
#[case::negative(cookie(Some(-1), "", &[]), "cookie.ttl")]
fn is_refused(#[case] key: Form, #[case] path: &str) {
    assert_eq!(affinity(key).unwrap_err().path, path);
}
