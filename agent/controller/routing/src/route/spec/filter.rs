//! Filters of rules and of backends.

use serde::Deserialize;
use serde_json::Value;

use super::BackendRef;
use crate::value::{HeaderName, HeaderValue, Port, Token};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Filter {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) request_header_modifier: Option<HeaderFilter>,
    pub(crate) response_header_modifier: Option<HeaderFilter>,
    pub(crate) request_mirror: Option<MirrorFilter>,
    pub(crate) request_redirect: Option<RedirectFilter>,
    pub(crate) url_rewrite: Option<RewriteFilter>,
    pub(crate) cors: Option<CorsFilter>,
    pub(crate) external_auth: Option<Value>,
    pub(crate) extension_ref: Option<ExtensionRef>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ExtensionRef {
    pub(crate) group: String,
    pub(crate) kind: String,
    pub(crate) name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HeaderFilter {
    pub(crate) set: Vec<Header>,
    pub(crate) add: Vec<Header>,
    pub(crate) remove: Vec<HeaderName>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MirrorFilter {
    pub(crate) backend_ref: BackendRef,
    pub(crate) percent: Option<i64>,
    pub(crate) fraction: Option<Fraction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fraction {
    pub(crate) numerator: i64,
    pub(crate) denominator: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RedirectFilter {
    pub(crate) scheme: Option<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) path: Option<PathModifier>,
    pub(crate) port: Option<Port>,
    pub(crate) status_code: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RewriteFilter {
    pub(crate) hostname: Option<String>,
    pub(crate) path: Option<PathModifier>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PathModifier {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) replace_full_path: Option<String>,
    pub(crate) replace_prefix_match: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CorsFilter {
    pub(crate) allow_origins: Vec<String>,
    pub(crate) allow_credentials: bool,
    pub(crate) allow_methods: Vec<Token>,
    pub(crate) allow_headers: Vec<Token>,
    pub(crate) expose_headers: Vec<Token>,
    pub(crate) max_age: Option<u32>,
}
