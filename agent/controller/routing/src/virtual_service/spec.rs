//! A VirtualService as Istio writes it. Fields of two words may also be written as protobuf does (`sni_hosts`), which
//! files of 2018 do.

mod action;
mod connection;
mod shell;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::part::{Part, Unknown};
use crate::value::{HeaderName, HeaderValue, IstioDuration, Percent, Port, StringMatch};

pub(super) use action::{Delegate, DerivePort, DirectResponse, Redirect, Rewrite};
pub(super) use connection::{ConnectionDestination, TcpMatch, TcpRoute, TlsMatch, TlsRoute};
pub(super) use shell::{Abort, CorsPolicy, Delay, Fault, Mirror, Percentage, Retries, UnmatchedPreflights};

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
