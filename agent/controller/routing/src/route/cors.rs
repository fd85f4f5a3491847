//! Cross-origin requests.

use weir_proto::l7;

use super::filter::Wrong;
use super::spec::CorsFilter;
use crate::problem::Reason;
use crate::value::Token;

pub(super) fn cors(given: &CorsFilter) -> Result<l7::Cors, Wrong> {
    let names = |names: &[Token]| -> Vec<String> { names.iter().map(|name| name.0.clone()).collect() };
    let (methods, headers) = (names(&given.allow_methods), names(&given.allow_headers));
    for (part, list) in [
        (".cors.allowOrigins", &given.allow_origins),
        (".cors.allowMethods", &methods),
        (".cors.allowHeaders", &headers),
    ] {
        if list.len() > 1 && list.iter().any(|value| value == "*") {
            return Err((part, Reason::UnsupportedValue, "* stands alone".to_owned()));
        }
    }
    // The Gateway API's default.
    let max_age = given.max_age.filter(|seconds| *seconds > 0).unwrap_or(5);
    Ok(l7::Cors {
        allow_origins: given.allow_origins.iter().map(|origin| self::origin(origin)).collect(),
        allow_methods: methods,
        allow_headers: headers,
        expose_headers: names(&given.expose_headers),
        max_age: Some(prost_types::Duration { seconds: max_age.into(), nanos: 0 }),
        allow_credentials: given.allow_credentials,
        refuse_unmatched_preflights: true,
    })
}

/// A star stands for any number of labels.
fn origin(origin: &str) -> l7::StringMatch {
    use l7::string_match::Kind;
    let kind = match origin {
        "*" => Kind::Present(true),
        origin if origin.contains('*') => Kind::Regex(regex::escape(origin).replace(r"\*", ".*")),
        origin => Kind::Exact(origin.to_owned()),
    };
    l7::StringMatch { kind: Some(kind), ignore_case: true }
}
