use l7::string_match::Kind;
use rstest::rstest;

use super::*;

fn cors(origin: &str, credentials: bool, names: &[&str]) -> Cors {
    Cors::compile(&form(origin, credentials, names)).unwrap()
}

fn form(origin: &str, credentials: bool, names: &[&str]) -> l7::Cors {
    let origin = l7::StringMatch { kind: Some(Kind::Exact(origin.into())), ignore_case: false };
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    l7::Cors {
        allow_origins: vec![origin],
        allow_methods: names.clone(),
        allow_headers: names.clone(),
        expose_headers: names,
        max_age: Some(prost_types::Duration { seconds: 600, nanos: 0 }),
        allow_credentials: credentials,
        refuse_unmatched_preflights: true,
    }
}

fn request(fields: &[(&'static str, &str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        format!("{}: {}", name.as_str().trim_start_matches("access-control-"), value.to_str().unwrap())
    };
    let mut lines: Vec<_> = headers.iter().map(line).filter(|line| !line.starts_with("vary")).collect();
    lines.sort();
    lines
}

const PREFLIGHT: [(&str, &str); 3] = [
    ("origin", "http://a"),
    ("access-control-request-method", "PUT"),
    ("access-control-request-headers", "x-b, x-c"),
];

#[rstest]
#[case::listed("http://a", false, &["GET", "PUT"], &[
    "allow-headers: GET, PUT", "allow-methods: GET, PUT", "allow-origin: http://a", "max-age: 600",
])]
#[case::credentials("http://a", true, &["GET"], &[
    "allow-credentials: true", "allow-headers: GET", "allow-methods: GET", "allow-origin: http://a", "max-age: 600",
])]
#[case::wildcards("*", false, &["*"], &[
    "allow-headers: *", "allow-methods: *", "allow-origin: *", "max-age: 600",
])]
#[case::wildcards_with_credentials("*", true, &["*"], &[
    "allow-credentials: true", "allow-headers: x-b, x-c", "allow-methods: PUT", "allow-origin: http://a",
    "max-age: 600",
])]
#[case::nothing_listed("http://a", false, &[], &["allow-origin: http://a", "max-age: 600"])]
#[case::another_origin("http://b", true, &["*"], &[])]
fn preflights(
    #[case] origin: &str,
    #[case] credentials: bool,
    #[case] names: &[&str],
    #[case] expected: &[&str],
) {
    let verdict = cors(origin, credentials, names).check(&Method::OPTIONS, &request(&PREFLIGHT));
    let CorsVerdict::Preflight(response) = verdict else { panic!("{verdict:?}") };
    assert_eq!(response.status(), 200);
    assert_eq!(lines(response.headers()), expected);
    assert_eq!(response.headers()[header::VARY], PREFLIGHT_VARIES);
}

#[rstest]
#[case::no_origin(Method::GET, &[])]
#[case::options_without_origin(Method::OPTIONS, &PREFLIGHT[1..])]
fn unconcerned(#[case] method: Method, #[case] fields: &[(&'static str, &str)]) {
    assert!(matches!(cors("*", false, &[]).check(&method, &request(fields)), CorsVerdict::Unconcerned));
}

#[test]
fn preflights_of_others_go_on_if_the_route_says_so() {
    let form = l7::Cors { refuse_unmatched_preflights: false, ..form("http://b", false, &[]) };
    let verdict = Cors::compile(&form).unwrap().check(&Method::OPTIONS, &request(&PREFLIGHT));
    assert!(matches!(verdict, CorsVerdict::Unconcerned));
}

#[rstest]
#[case::granted("http://a", false, &[], &["allow-origin: http://a"], Some("origin"))]
#[case::expose("http://a", false, &["x-d"], &["allow-origin: http://a", "expose-headers: x-d"], Some("origin"))]
#[case::credentials("http://a", true, &[], &["allow-credentials: true", "allow-origin: http://a"], Some("origin"))]
#[case::open("*", false, &["*"], &["allow-origin: *", "expose-headers: *"], None)]
#[case::exposed_with_credentials("*", true, &["*"], &["allow-credentials: true", "allow-origin: http://a"], Some("origin"))]
#[case::open_with_credentials("*", true, &[], &["allow-credentials: true", "allow-origin: http://a"], Some("origin"))]
#[case::another_origin("http://b", true, &["x"], &[], Some("origin"))]
fn responses(
    #[case] origin: &str,
    #[case] credentials: bool,
    #[case] names: &[&str],
    #[case] expected: &[&str],
    #[case] vary: Option<&str>,
    #[values(Method::GET, Method::OPTIONS)] method: Method,
) {
    let verdict = cors(origin, credentials, names).check(&method, &request(&PREFLIGHT[..1]));
    let CorsVerdict::Simple(grant) = verdict else { panic!("{verdict:?}") };
    let mut headers = HeaderMap::new();
    grant.change_response(&mut headers);
    assert_eq!(lines(&headers), expected);
    assert_eq!(headers.get(header::VARY).map(|vary| vary.to_str().unwrap()), vary);
}

#[rstest]
#[case::replaced("http://a", &["allow-origin: http://a"])]
#[case::left_alone("http://b", &["allow-credentials: true", "allow-origin: http://c"])]
fn what_the_backend_says(#[case] origin: &str, #[case] expected: &[&str]) {
    let verdict = cors(origin, false, &[]).check(&Method::GET, &request(&PREFLIGHT[..1]));
    let CorsVerdict::Simple(grant) = verdict else { panic!("{verdict:?}") };
    let mut headers = request(&[
        ("access-control-allow-origin", "http://c"),
        ("access-control-allow-credentials", "true"),
        ("vary", "accept, Origin"),
    ]);
    grant.change_response(&mut headers);
    assert_eq!(lines(&headers), expected);
    assert_eq!(headers.get_all(header::VARY).iter().count(), 1);
}

#[rstest]
#[case::origin(l7::Cors { allow_origins: vec![l7::StringMatch::default()], ..Default::default() }, "allow_origins[0]")]
#[case::method(l7::Cors { allow_methods: vec!["a b".into()], ..Default::default() }, "allow_methods")]
fn is_refused(#[case] form: l7::Cors, #[case] path: &str) {
    assert_eq!(Cors::compile(&form).unwrap_err().path, path);
}
