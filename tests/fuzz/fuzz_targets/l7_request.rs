//! What a client may ask of a waypoint: a target and headers. Its normal form is one for good and hides nothing, a rule is
//! found, and what the rule does to it is a request again.
#![no_main]

use std::sync::LazyLock;

use http::{HeaderName, HeaderValue, Request, Uri, request::Parts};
use libfuzzer_sys::fuzz_target;
use weir_proto::l7::{self, PathNormalization, path_match::Kind, rewrite, string_match};
use weir_waypoint::route::{Action, CorsVerdict, Frontend, RequestHead, Routed, SourceView, normalize};

fuzz_target!(|bytes: &[u8]| {
    let Some((&mode, lines)) = bytes.split_first() else { return };
    let mode =
        [PathNormalization::Base, PathNormalization::MergeSlashes, PathNormalization::DecodeAndMergeSlashes]
            [usize::from(mode % 3)];
    let Some(mut parts) = request(lines) else { return };
    if normalize(&mut parts, mode).is_err() {
        return;
    }
    let once = parts.uri.clone();
    normalize(&mut parts, mode).expect("what is normal is no bad path");
    assert_eq!(parts.uri, once);
    // `*`, and the authority form of CONNECT.
    if once.path().starts_with('/') {
        assert!(!once.path().split('/').any(|segment| segment == "." || segment == ".."), "{once}");
    }
    follow(parts);
});

fn follow(mut parts: Parts) {
    let head = RequestHead::of(&parts, "http");
    let source = SourceView::stranger([10, 0, 0, 1].into());
    let port = FRONTEND.port(80).expect("the port of the form");
    let Routed::Rule(matched) = port.route(&head, &source) else {
        panic!("the last rule matches everything")
    };
    if let Some(cors) = &matched.rule.cors
        && let CorsVerdict::Preflight(response) = cors.check(&parts.method, &parts.headers)
    {
        assert!(response.status().is_success());
    }
    match &matched.rule.action {
        Action::Forward(forward) => {
            let backend = forward.pick(0).expect("the only one");
            if matched.rule.change_request(&mut parts, matched.path, backend).is_ok()
                && parts.uri.path() != ""
            {
                assert!(parts.uri.path().starts_with('/') || parts.uri.path() == "*", "{}", parts.uri);
            }
        }
        Action::Redirect(redirect) => {
            let response = redirect.response(&head, 80, matched.path);
            assert!(response.headers().contains_key("location"), "{}", parts.uri);
        }
        Action::Direct(direct) => drop(direct.response()),
    }
}

/// A target, then headers, line by line.
fn request(bytes: &[u8]) -> Option<Parts> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let uri = Uri::try_from(lines.next()?).ok()?;
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.uri = uri;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        parts.headers.append(name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?);
    }
    Some(parts)
}

static FRONTEND: LazyLock<Frontend> = LazyLock::new(|| {
    let rules = vec![
        forward(Some(Kind::Exact("/exact".into())), None),
        forward(Some(Kind::Segments("/segments".into())), Some(rewrite::Path::Prefix("/".into()))),
        forward(Some(Kind::Prefix("/prefix".into())), Some(rewrite::Path::Prefix("other".into()))),
        forward(Some(Kind::Regex("/regex/([a-z]+)/.*".into())), Some(substitution())),
        by_text(),
        redirect(),
        forward(None, Some(rewrite::Path::Full("/?all".into()))),
    ];
    let http = vec![l7::RuleSet { rules, ..Default::default() }];
    let ports = vec![l7::FrontendPort { port: 80, http, ..Default::default() }];
    Frontend::compile(&l7::Frontend { ports, ..Default::default() }).expect("a form without faults")
});

fn forward(path: Option<Kind>, rewritten: Option<rewrite::Path>) -> l7::Rule {
    let backend =
        l7::BackendRef { namespace: "a".into(), hostname: "b".into(), port: 80, ..Default::default() };
    let target = Some(l7::weighted_backend::Target::Backend(backend));
    let forward = l7::Forward {
        backends: vec![l7::WeightedBackend { target, weight: 1, ..Default::default() }],
        rewrite: Some(l7::Rewrite { authority: "b:81".into(), path: rewritten }),
        no_backend_status: 503,
        ..Default::default()
    };
    rule(path, l7::rule::Action::Forward(forward))
}

fn redirect() -> l7::Rule {
    let path = Some(l7::redirect::Path::Prefix("/there".into()));
    let redirect = l7::Redirect { status: 302, scheme: "https".into(), path, ..Default::default() };
    rule(Some(Kind::Segments("/redirect".into())), l7::rule::Action::Redirect(redirect))
}

/// By a header and a parameter, with CORS.
fn by_text() -> l7::Rule {
    let value = |kind| Some(l7::StringMatch { kind: Some(kind), ignore_case: true });
    let header = value(string_match::Kind::Regex("a+|b".into()));
    let parameter = value(string_match::Kind::Prefix("a".into()));
    let cors = l7::Cors {
        allow_origins: value(string_match::Kind::Suffix("a".into())).into_iter().collect(),
        ..Default::default()
    };
    let matches = vec![l7::Match {
        headers: vec![l7::HeaderMatch { name: "x".into(), value: header, invert: false }],
        query: vec![l7::QueryMatch { name: "q".into(), value: parameter }],
        ..Default::default()
    }];
    l7::Rule { matches, cors: Some(cors), ..forward(None, None) }
}

fn rule(path: Option<Kind>, action: l7::rule::Action) -> l7::Rule {
    let path = path.map(|kind| l7::PathMatch { kind: Some(kind), ignore_case: true });
    l7::Rule {
        matches: vec![l7::Match { path, ..Default::default() }],
        action: Some(action),
        ..Default::default()
    }
}

fn substitution() -> rewrite::Path {
    rewrite::Path::Regex(l7::RegexRewrite { pattern: "/([a-z]+)".into(), substitution: r"\1/".into() })
}
