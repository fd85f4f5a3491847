//! A DestinationRule as Istio writes it.

mod balancing;
mod pool;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::part::{Part, Unknown};
use crate::value::{IstioDuration, Percent, Port};

pub(super) use balancing::{Attribute, ConsistentHash, Cookie, LoadBalancer, Locality, Simple, Warmup};
pub(super) use pool::{ConnectionPool, H2UpgradePolicy, Http, Limit, Tcp};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
    pub(super) host: Part<String>,
    #[serde(alias = "traffic_policy")]
    pub(super) traffic_policy: Part<TrafficPolicy>,
    pub(super) subsets: Part<Vec<Part<Subset>>>,
    #[serde(alias = "export_to")]
    pub(super) export_to: Part<Vec<String>>,
    #[serde(alias = "workload_selector")]
    pub(super) workload_selector: Part<serde_json::Value>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Subset {
    pub(super) name: String,
    pub(super) labels: Part<BTreeMap<String, String>>,
    #[serde(alias = "traffic_policy")]
    pub(super) traffic_policy: Part<TrafficPolicy>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TrafficPolicy {
    #[serde(alias = "load_balancer")]
    pub(super) load_balancer: Part<LoadBalancer>,
    #[serde(alias = "connection_pool")]
    pub(super) connection_pool: Part<ConnectionPool>,
    #[serde(alias = "outlier_detection")]
    pub(super) outlier_detection: Part<OutlierDetection>,
    pub(super) tls: Part<Tls>,
    #[serde(alias = "port_level_settings")]
    pub(super) port_level_settings: Part<Vec<Part<PortPolicy>>>,
    pub(super) tunnel: Part<serde_json::Value>,
    #[serde(alias = "proxy_protocol")]
    pub(super) proxy_protocol: Part<ProxyProtocol>,
    #[serde(alias = "retry_budget")]
    pub(super) retry_budget: Part<RetryBudget>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PortPolicy {
    pub(super) port: Part<PortSelector>,
    #[serde(alias = "load_balancer")]
    pub(super) load_balancer: Part<LoadBalancer>,
    #[serde(alias = "connection_pool")]
    pub(super) connection_pool: Part<ConnectionPool>,
    #[serde(alias = "outlier_detection")]
    pub(super) outlier_detection: Part<OutlierDetection>,
    pub(super) tls: Part<Tls>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortSelector {
    pub(super) number: Port,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct OutlierDetection {
    /// Deprecated.
    #[serde(alias = "consecutive_errors")]
    pub(super) consecutive_errors: Part<Limit>,
    #[serde(alias = "split_external_local_origin_errors")]
    pub(super) split_external_local_origin_errors: Part<bool>,
    #[serde(alias = "consecutive_local_origin_failures")]
    pub(super) consecutive_local_origin_failures: Part<Limit>,
    #[serde(alias = "consecutive_gateway_errors")]
    pub(super) consecutive_gateway_errors: Part<Limit>,
    #[serde(rename = "consecutive5xxErrors", alias = "consecutive_5xx_errors")]
    pub(super) consecutive_5xx_errors: Part<Limit>,
    pub(super) interval: Part<IstioDuration>,
    #[serde(alias = "base_ejection_time")]
    pub(super) base_ejection_time: Part<IstioDuration>,
    #[serde(alias = "max_ejection_percent")]
    pub(super) max_ejection_percent: Part<Percent>,
    #[serde(alias = "min_health_percent")]
    pub(super) min_health_percent: Part<Percent>,
    #[serde(alias = "outlier_detection_http_error_codes")]
    pub(super) outlier_detection_http_error_codes: Part<Vec<u32>>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) mode: TlsMode,
    #[serde(alias = "client_certificate")]
    pub(super) client_certificate: String,
    #[serde(alias = "private_key")]
    pub(super) private_key: String,
    #[serde(alias = "ca_certificates")]
    pub(super) ca_certificates: String,
    #[serde(alias = "credential_name")]
    pub(super) credential_name: String,
    #[serde(alias = "subject_alt_names")]
    pub(super) subject_alt_names: Vec<String>,
    pub(super) sni: String,
    #[serde(alias = "insecure_skip_verify")]
    pub(super) insecure_skip_verify: bool,
    #[serde(alias = "ca_crl")]
    pub(super) ca_crl: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum TlsMode {
    #[default]
    Disable,
    Simple,
    Mutual,
    IstioMutual,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ProxyProtocol {
    pub(super) version: ProxyVersion,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) enum ProxyVersion {
    #[default]
    V1,
    V2,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RetryBudget {
    pub(super) percent: Option<Percent>,
    #[serde(alias = "min_retry_concurrency")]
    pub(super) min_retry_concurrency: Option<u32>,
    #[serde(alias = "budget_interval")]
    pub(super) budget_interval: Option<IstioDuration>,
}
