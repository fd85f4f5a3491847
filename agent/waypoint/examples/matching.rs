//! What it costs to find a request's rule among 1, 100 and 10,000.
//!
//! `cargo run --release -p weir-waypoint --example matching`. Without optimisation the figures say only whether the cost
//! grows.

use std::{hint::black_box, time::Instant};

use http::{HeaderMap, Method};
use weir_proto::l7::{self, path_match::Kind as Path, string_match::Kind as Text};
use weir_waypoint::route::{Frontend, RequestHead, Routed, SourceView};

fn main() {
    println!("{:<22}{:>9}{:>16}{:>16}", "rules match by", "routes", "ns per request", "compiled in ms");
    for (kind, matching) in KINDS {
        for count in [1, 100, 10_000] {
            let start = Instant::now();
            let frontend = frontend(count, matching);
            let compiled = start.elapsed();
            let each = measure(&frontend, count);
            println!("{kind:<22}{count:>9}{each:>16}{:>16.1}", compiled.as_secs_f64() * 1e3);
        }
    }
}

/// Requests for rules all over the list, in nanoseconds each.
fn measure(frontend: &Frontend, count: usize) -> u128 {
    let requests: Vec<_> = (0..64).map(|n| request(n * 7919 % count)).collect();
    let source = SourceView::stranger([10, 0, 0, 1].into());
    let port = frontend.port(80).expect("the port of the form");
    let start = Instant::now();
    for _ in 0..ROUNDS {
        for (path, headers) in &requests {
            let head = RequestHead {
                method: &Method::GET,
                scheme: "http",
                authority: "service:80",
                path,
                query: Some("page=1"),
                headers,
            };
            let routed = port.route(black_box(&head), &source);
            assert!(matches!(routed, Routed::Rule(_)), "nothing for {path}");
        }
    }
    start.elapsed().as_nanos() / (ROUNDS as u128 * requests.len() as u128)
}

fn request(n: usize) -> (String, HeaderMap) {
    let mut headers = HeaderMap::new();
    for (name, value) in [("user-agent", "example".to_owned()), ("x-tenant", format!("tenant-{n}"))] {
        headers.insert(name, value.parse().expect("a value of letters"));
    }
    (format!("/api/service-{n}/items/12345"), headers)
}

fn frontend(count: usize, matching: Matching) -> Frontend {
    let rule = |n| {
        let direct = l7::DirectResponse { status: 200, body: Vec::new() };
        let action = Some(l7::rule::Action::DirectResponse(direct));
        l7::Rule { matches: vec![matching(n)], action, ..Default::default() }
    };
    let rules = (0..count).map(rule).collect();
    let http = vec![l7::RuleSet { rules, ..Default::default() }];
    let ports = vec![l7::FrontendPort { port: 80, http, ..Default::default() }];
    Frontend::compile(&l7::Frontend { ports, ..Default::default() }).expect("a form without faults")
}

fn by_path(kind: Path) -> l7::Match {
    let path = Some(l7::PathMatch { kind: Some(kind), ignore_case: false });
    l7::Match { path, ..Default::default() }
}

fn by_header(n: usize) -> l7::Match {
    let kind = Some(Text::Exact(format!("tenant-{n}")));
    let value = Some(l7::StringMatch { kind, ignore_case: false });
    let headers = vec![l7::HeaderMatch { name: "x-tenant".into(), value, invert: false }];
    l7::Match { headers, ..by_path(Path::Segments("/".into())) }
}

const ROUNDS: usize = 2_000;
/// A match for the rule of this number.
type Matching = fn(usize) -> l7::Match;

const KINDS: [(&str, Matching); 5] = [
    ("exact path", |n| by_path(Path::Exact(format!("/api/service-{n}/items/12345")))),
    ("prefix of segments", |n| by_path(Path::Segments(format!("/api/service-{n}")))),
    ("prefix of characters", |n| by_path(Path::Prefix(format!("/api/service-{n}/")))),
    ("regular expression", |n| by_path(Path::Regex(format!("/api/service-{n}/items/[0-9]+")))),
    ("header", by_header),
];
