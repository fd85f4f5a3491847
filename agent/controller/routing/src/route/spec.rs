//! HTTPRoute and GRPCRoute as the Gateway API writes them. All served versions have the same fields.

mod filter;
mod matching;

use serde::Deserialize;
use serde_json::Value;

use crate::part::{Part, Unknown};
use crate::value::{GatewayDuration, Port};

pub(super) use filter::{
    CorsFilter, Filter, Fraction, Header, HeaderFilter, MirrorFilter, PathModifier, RedirectFilter,
    RewriteFilter,
};
pub(super) use matching::{GrpcMatch, HttpMatch, MethodMatch, NamedMatch, ValueMatch};

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
