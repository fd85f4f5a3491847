//! A VirtualService as Istio writes it. Fields of two words may also be written as protobuf does (`sni_hosts`), which
//! files of 2018 do.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::part::{Part, Unknown};
use crate::value::{
    Bytes, HeaderName, HeaderValue, IstioDuration, Percent, Port, Regex, StringMatch, Subnet, Token,
};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
    pub(super) hosts: Part<Vec<String>>,
    pub(super) gateways: Part<Vec<String>>,
    pub(super) http: Part<Vec<Part<HttpRoute>>>,
    pub(super) tls: Part<Vec<Part<TlsRoute>>>,
    pub(super) tcp: Part<Vec<Part<TcpRoute>>>,
    #[serde(alias = "export_to")]
    pub(super) export_to: Part<Vec<String>>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct HttpRoute {
    pub(super) name: Part<String>,
    #[serde(rename = "match")]
    pub(super) matches: Part<Vec<Part<HttpMatch>>>,
    pub(super) route: Part<Vec<HttpDestination>>,
    pub(super) redirect: Part<Redirect>,
    #[serde(alias = "direct_response")]
    pub(super) direct_response: Part<DirectResponse>,
    pub(super) delegate: Part<Delegate>,
    pub(super) rewrite: Part<Rewrite>,
    pub(super) timeout: Part<IstioDuration>,
    pub(super) retries: Part<Retries>,
    pub(super) fault: Part<Fault>,
    pub(super) mirror: Part<Destination>,
    pub(super) mirrors: Part<Vec<Mirror>>,
    /// Deprecated.
    #[serde(alias = "mirror_percent")]
    pub(super) mirror_percent: Part<Percent>,
    #[serde(alias = "mirror_percentage")]
    pub(super) mirror_percentage: Part<Percentage>,
    #[serde(alias = "cors_policy")]
    pub(super) cors_policy: Part<CorsPolicy>,
    pub(super) headers: Part<Headers>,
    #[serde(flatten)]
    pub(super) old: OldHeaders,
    /// Of 2018; upgrades need no permission now.
    #[serde(alias = "websocket_upgrade")]
    pub(super) websocket_upgrade: Part<bool>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

/// How headers were changed before `headers`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct OldHeaders {
    #[serde(alias = "appendHeaders", alias = "append_headers", alias = "append_request_headers")]
    pub(super) append_request_headers: Part<BTreeMap<HeaderName, HeaderValue>>,
    #[serde(alias = "append_response_headers")]
    pub(super) append_response_headers: Part<BTreeMap<HeaderName, HeaderValue>>,
    #[serde(alias = "remove_request_headers")]
    pub(super) remove_request_headers: Part<Vec<HeaderName>>,
    #[serde(alias = "remove_response_headers")]
    pub(super) remove_response_headers: Part<Vec<HeaderName>>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct HttpMatch {
    pub(super) name: String,
    pub(super) uri: StringMatch,
    pub(super) scheme: StringMatch,
    pub(super) method: StringMatch,
    pub(super) authority: StringMatch,
    pub(super) headers: BTreeMap<String, StringMatch>,
    #[serde(alias = "without_headers")]
    pub(super) without_headers: BTreeMap<String, StringMatch>,
    #[serde(alias = "query_params")]
    pub(super) query_params: BTreeMap<String, StringMatch>,
    #[serde(alias = "ignore_uri_case")]
    pub(super) ignore_uri_case: bool,
    pub(super) port: Option<Port>,
    #[serde(alias = "source_labels")]
    pub(super) source_labels: BTreeMap<String, String>,
    #[serde(alias = "source_namespace")]
    pub(super) source_namespace: String,
    pub(super) gateways: Vec<String>,
    #[serde(alias = "stat_prefix")]
    pub(super) stat_prefix: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Destination {
    pub(super) host: String,
    pub(super) subset: String,
    pub(super) port: PortSelector,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PortSelector {
    pub(super) number: Option<Port>,
    /// Of 2018.
    pub(super) name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct HttpDestination {
    pub(super) destination: Part<Destination>,
    pub(super) weight: Part<i32>,
    pub(super) headers: Part<Headers>,
    #[serde(flatten)]
    pub(super) old: OldHeaders,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Headers {
    pub(super) request: HeaderOperations,
    pub(super) response: HeaderOperations,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HeaderOperations {
    pub(super) set: BTreeMap<HeaderName, HeaderValue>,
    pub(super) add: BTreeMap<HeaderName, HeaderValue>,
    pub(super) remove: Vec<HeaderName>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Redirect {
    pub(super) uri: String,
    pub(super) authority: String,
    pub(super) port: Option<Port>,
    #[serde(alias = "derive_port")]
    pub(super) derive_port: Option<DerivePort>,
    pub(super) scheme: String,
    #[serde(alias = "redirect_code")]
    pub(super) redirect_code: u32,
    #[serde(alias = "prefix_rewrite")]
    pub(super) prefix_rewrite: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum DerivePort {
    FromProtocolDefault,
    FromRequestPort,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DirectResponse {
    pub(super) status: u32,
    pub(super) body: Body,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Body {
    pub(super) string: Option<String>,
    pub(super) bytes: Option<Bytes>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Delegate {
    pub(super) name: String,
    pub(super) namespace: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rewrite {
    pub(super) uri: String,
    pub(super) authority: String,
    #[serde(alias = "uri_regex_rewrite")]
    pub(super) uri_regex_rewrite: Option<RegexRewrite>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegexRewrite {
    #[serde(rename = "match")]
    pub(super) pattern: Regex,
    #[serde(default)]
    pub(super) rewrite: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Retries {
    pub(super) attempts: Part<i32>,
    #[serde(alias = "per_try_timeout")]
    pub(super) per_try_timeout: Part<IstioDuration>,
    #[serde(alias = "retry_on")]
    pub(super) retry_on: Part<String>,
    #[serde(alias = "retry_remote_localities")]
    pub(super) retry_remote_localities: Part<bool>,
    #[serde(alias = "retry_ignore_previous_hosts")]
    pub(super) retry_ignore_previous_hosts: Part<bool>,
    pub(super) backoff: Part<IstioDuration>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Fault {
    pub(super) delay: Part<Delay>,
    pub(super) abort: Part<Abort>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Delay {
    /// Deprecated.
    pub(super) percent: Option<Percent>,
    pub(super) percentage: Option<Percentage>,
    #[serde(alias = "fixed_delay")]
    pub(super) fixed_delay: Option<IstioDuration>,
    #[serde(alias = "exponential_delay")]
    pub(super) exponential_delay: Option<IstioDuration>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Abort {
    /// Of 2018.
    pub(super) percent: Option<Percent>,
    pub(super) percentage: Option<Percentage>,
    #[serde(alias = "http_status")]
    pub(super) http_status: Option<u32>,
    #[serde(alias = "grpc_status")]
    pub(super) grpc_status: Option<String>,
    #[serde(alias = "http2_error")]
    pub(super) http2_error: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Percentage {
    pub(super) value: Percent,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Mirror {
    pub(super) destination: Destination,
    pub(super) percentage: Option<Percentage>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CorsPolicy {
    /// Deprecated.
    #[serde(alias = "allow_origin")]
    pub(super) allow_origin: Vec<String>,
    #[serde(alias = "allow_origins")]
    pub(super) allow_origins: Vec<StringMatch>,
    #[serde(alias = "allow_methods")]
    pub(super) allow_methods: Vec<Token>,
    #[serde(alias = "allow_headers")]
    pub(super) allow_headers: Vec<Token>,
    #[serde(alias = "expose_headers")]
    pub(super) expose_headers: Vec<Token>,
    #[serde(alias = "max_age")]
    pub(super) max_age: Option<IstioDuration>,
    #[serde(alias = "allow_credentials")]
    pub(super) allow_credentials: bool,
    #[serde(alias = "unmatched_preflights")]
    pub(super) unmatched_preflights: UnmatchedPreflights,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum UnmatchedPreflights {
    #[default]
    Unspecified,
    Forward,
    Ignore,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct TlsRoute {
    #[serde(rename = "match")]
    pub(super) matches: Part<Vec<Part<TlsMatch>>>,
    pub(super) route: Part<Vec<ConnectionDestination>>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TlsMatch {
    #[serde(alias = "sni_hosts")]
    pub(super) sni_hosts: Vec<String>,
    #[serde(alias = "destination_subnets")]
    pub(super) destination_subnets: Vec<Subnet>,
    pub(super) port: Option<Port>,
    #[serde(alias = "source_labels")]
    pub(super) source_labels: BTreeMap<String, String>,
    #[serde(alias = "source_namespace")]
    pub(super) source_namespace: String,
    pub(super) gateways: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct TcpRoute {
    #[serde(rename = "match")]
    pub(super) matches: Part<Vec<Part<TcpMatch>>>,
    pub(super) route: Part<Vec<ConnectionDestination>>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TcpMatch {
    #[serde(alias = "destination_subnets")]
    pub(super) destination_subnets: Vec<Subnet>,
    pub(super) port: Option<Port>,
    #[serde(alias = "source_subnet")]
    pub(super) source_subnet: String,
    #[serde(alias = "source_labels")]
    pub(super) source_labels: BTreeMap<String, String>,
    #[serde(alias = "source_namespace")]
    pub(super) source_namespace: String,
    pub(super) gateways: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ConnectionDestination {
    pub(super) destination: Destination,
    pub(super) weight: i32,
}
