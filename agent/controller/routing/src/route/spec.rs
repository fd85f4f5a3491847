//! HTTPRoute and GRPCRoute as the Gateway API writes them. All served versions have the same fields.

use serde::Deserialize;
use serde_json::Value;

use crate::part::{Part, Unknown};
use crate::value::{GatewayDuration, HeaderName, HeaderValue, Port, Token};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", bound = "R: serde::de::DeserializeOwned")]
pub(super) struct Spec<R> {
    #[serde(default)]
    pub(super) parent_refs: Part<Vec<Part<ParentRef>>>,
    #[serde(default)]
    pub(super) hostnames: Part<Value>,
    #[serde(default)]
    pub(super) use_default_gateways: Part<Value>,
    #[serde(default = "absent")]
    pub(super) rules: Part<Vec<Part<R>>>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

fn absent<T>() -> Part<T> {
    Part::Absent
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ParentRef {
    pub(super) group: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) section_name: Option<String>,
    pub(super) port: Option<Port>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct HttpRule {
    pub(super) name: Part<String>,
    pub(super) matches: Part<Vec<Part<HttpMatch>>>,
    pub(super) filters: Part<Vec<Part<Filter>>>,
    pub(super) backend_refs: Part<Vec<Part<BackendRef>>>,
    pub(super) timeouts: Part<Timeouts>,
    pub(super) retry: Part<Retry>,
    pub(super) session_persistence: Part<Value>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct GrpcRule {
    pub(super) name: Part<String>,
    pub(super) matches: Part<Vec<Part<GrpcMatch>>>,
    pub(super) filters: Part<Vec<Part<Filter>>>,
    pub(super) backend_refs: Part<Vec<Part<BackendRef>>>,
    pub(super) session_persistence: Part<Value>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct HttpMatch {
    pub(super) path: Option<ValueMatch>,
    pub(super) headers: Vec<NamedMatch>,
    pub(super) query_params: Vec<NamedMatch>,
    pub(super) method: Option<String>,
}

/// Of a path.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ValueMatch {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) value: Option<String>,
}

/// Of a header or a parameter.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NamedMatch {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct GrpcMatch {
    pub(super) method: Option<MethodMatch>,
    pub(super) headers: Vec<NamedMatch>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MethodMatch {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) service: Option<String>,
    pub(super) method: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Filter {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) request_header_modifier: Option<HeaderFilter>,
    pub(super) response_header_modifier: Option<HeaderFilter>,
    pub(super) request_mirror: Option<MirrorFilter>,
    pub(super) request_redirect: Option<RedirectFilter>,
    pub(super) url_rewrite: Option<RewriteFilter>,
    pub(super) cors: Option<CorsFilter>,
    pub(super) external_auth: Option<Value>,
    pub(super) extension_ref: Option<ExtensionRef>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ExtensionRef {
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HeaderFilter {
    pub(super) set: Vec<Header>,
    pub(super) add: Vec<Header>,
    pub(super) remove: Vec<HeaderName>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MirrorFilter {
    pub(super) backend_ref: BackendRef,
    pub(super) percent: Option<i64>,
    pub(super) fraction: Option<Fraction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fraction {
    pub(super) numerator: i64,
    pub(super) denominator: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RedirectFilter {
    pub(super) scheme: Option<String>,
    pub(super) hostname: Option<String>,
    pub(super) path: Option<PathModifier>,
    pub(super) port: Option<Port>,
    pub(super) status_code: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RewriteFilter {
    pub(super) hostname: Option<String>,
    pub(super) path: Option<PathModifier>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PathModifier {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) replace_full_path: Option<String>,
    pub(super) replace_prefix_match: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CorsFilter {
    pub(super) allow_origins: Vec<String>,
    pub(super) allow_credentials: bool,
    pub(super) allow_methods: Vec<Token>,
    pub(super) allow_headers: Vec<Token>,
    pub(super) expose_headers: Vec<Token>,
    pub(super) max_age: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct BackendRef {
    pub(super) group: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) port: Option<Port>,
    pub(super) weight: Option<i64>,
    pub(super) filters: Part<Vec<Part<Filter>>>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Timeouts {
    pub(super) request: Part<GatewayDuration>,
    pub(super) backend_request: Part<GatewayDuration>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Retry {
    pub(super) codes: Part<Vec<u32>>,
    pub(super) attempts: Part<i64>,
    pub(super) backoff: Part<GatewayDuration>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}
