//! Cross-origin requests.

use weir_proto::l7::{self, string_match::Kind};

use super::spec::{CorsPolicy, UnmatchedPreflights};
use crate::part::{Part, Place};
use crate::problem::{Effect, Problems};
use crate::value::{StringMatch, Token};

pub(super) fn cors(policy: &Part<CorsPolicy>, field: &str, problems: &mut Problems) -> Option<l7::Cors> {
    let policy = policy.get(&Place { field, effect: Effect::Ignored }, problems)?;
    let mut origins: Vec<StringMatch> = policy.allow_origins.clone();
    if !policy.allow_origin.is_empty() {
        problems.notice(format!("{field}.allowOrigin"), "is deprecated; allowOrigins is its name now");
        // The new field decides if both are there, as in Istio.
        if origins.is_empty() {
            origins
                .extend(policy.allow_origin.iter().map(|text| StringMatch(Some(Kind::Exact(text.clone())))));
        }
    }
    if origins.is_empty() {
        problems.notice(format!("{field}.allowOrigins"), "is missing: no origin is allowed");
    }
    Some(l7::Cors {
        allow_origins: origins.iter().map(origin).collect(),
        allow_methods: names(&policy.allow_methods),
        allow_headers: names(&policy.allow_headers),
        expose_headers: names(&policy.expose_headers),
        max_age: policy.max_age.map(|age| age.wire()),
        allow_credentials: policy.allow_credentials,
        refuse_unmatched_preflights: policy.unmatched_preflights == UnmatchedPreflights::Ignore,
    })
}

fn names(names: &[Token]) -> Vec<String> {
    names.iter().map(|name| name.0.clone()).collect()
}

fn origin(origin: &StringMatch) -> l7::StringMatch {
    let kind = match &origin.0 {
        None => Kind::Present(true),
        Some(Kind::Exact(text)) if text == "*" => Kind::Present(true),
        Some(kind) => kind.clone(),
    };
    l7::StringMatch { kind: Some(kind), ignore_case: false }
}
