//! A DestinationRule as Istio writes it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::part::{Part, Unknown};
use crate::value::{HeaderName, IstioDuration, Percent, Port};

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
pub(super) struct LoadBalancer {
    pub(super) simple: Part<Simple>,
    #[serde(alias = "consistent_hash")]
    pub(super) consistent_hash: Part<ConsistentHash>,
    #[serde(alias = "locality_lb_setting")]
    pub(super) locality_lb_setting: Part<Locality>,
    #[serde(alias = "zone_aware_lb_setting")]
    pub(super) zone_aware_lb_setting: Part<serde_json::Value>,
    /// Deprecated.
    #[serde(alias = "warmup_duration_secs")]
    pub(super) warmup_duration_secs: Part<IstioDuration>,
    pub(super) warmup: Part<Warmup>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Simple {
    #[default]
    Unspecified,
    /// Deprecated: LEAST_REQUEST.
    LeastConn,
    Random,
    Passthrough,
    RoundRobin,
    LeastRequest,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ConsistentHash {
    #[serde(alias = "http_header_name")]
    pub(super) http_header_name: Option<HeaderName>,
    #[serde(alias = "http_cookie")]
    pub(super) http_cookie: Option<Cookie>,
    #[serde(alias = "use_source_ip")]
    pub(super) use_source_ip: bool,
    #[serde(alias = "http_query_parameter_name")]
    pub(super) http_query_parameter_name: Option<String>,
    #[serde(alias = "ring_hash")]
    pub(super) ring_hash: Option<RingHash>,
    pub(super) maglev: Option<Maglev>,
    /// Deprecated.
    #[serde(alias = "minimum_ring_size")]
    pub(super) minimum_ring_size: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RingHash {
    #[serde(alias = "minimum_ring_size")]
    pub(super) minimum_ring_size: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Maglev {
    #[serde(alias = "table_size")]
    pub(super) table_size: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Cookie {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) ttl: Option<IstioDuration>,
    pub(super) attributes: Vec<Attribute>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Locality {
    pub(super) enabled: Option<bool>,
    pub(super) distribute: Vec<Distribute>,
    pub(super) failover: Vec<Failover>,
    #[serde(alias = "failover_priority")]
    pub(super) failover_priority: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Distribute {
    pub(super) from: String,
    pub(super) to: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Failover {
    pub(super) from: String,
    pub(super) to: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Warmup {
    pub(super) duration: Option<IstioDuration>,
    #[serde(alias = "minimum_percent")]
    pub(super) minimum_percent: Option<Percent>,
    pub(super) aggression: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct ConnectionPool {
    pub(super) tcp: Part<Tcp>,
    pub(super) http: Part<Http>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Tcp {
    #[serde(alias = "max_connections")]
    pub(super) max_connections: Part<Limit>,
    #[serde(alias = "connect_timeout")]
    pub(super) connect_timeout: Part<IstioDuration>,
    #[serde(alias = "tcp_keepalive")]
    pub(super) tcp_keepalive: Part<TcpKeepalive>,
    #[serde(alias = "max_connection_duration")]
    pub(super) max_connection_duration: Part<IstioDuration>,
    #[serde(alias = "idle_timeout")]
    pub(super) idle_timeout: Part<IstioDuration>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TcpKeepalive {
    pub(super) probes: u32,
    pub(super) time: Option<IstioDuration>,
    pub(super) interval: Option<IstioDuration>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Http {
    #[serde(alias = "http1_max_pending_requests")]
    pub(super) http1_max_pending_requests: Part<Limit>,
    #[serde(alias = "http2_max_requests")]
    pub(super) http2_max_requests: Part<Limit>,
    #[serde(alias = "max_requests_per_connection")]
    pub(super) max_requests_per_connection: Part<Limit>,
    #[serde(alias = "max_retries")]
    pub(super) max_retries: Part<Limit>,
    #[serde(alias = "idle_timeout")]
    pub(super) idle_timeout: Part<IstioDuration>,
    #[serde(alias = "h2_upgrade_policy")]
    pub(super) h2_upgrade_policy: Part<H2UpgradePolicy>,
    #[serde(alias = "use_client_protocol")]
    pub(super) use_client_protocol: Part<bool>,
    #[serde(alias = "max_concurrent_streams")]
    pub(super) max_concurrent_streams: Part<Limit>,
    #[serde(rename = "http2KeepAlive", alias = "http2_keep_alive", alias = "http2Keepalive")]
    pub(super) http2_keep_alive: Part<Http2Keepalive>,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Http2Keepalive {
    pub(super) interval: Option<IstioDuration>,
    pub(super) timeout: Option<IstioDuration>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum H2UpgradePolicy {
    #[default]
    Default,
    DoNotUpgrade,
    Upgrade,
}

/// Not negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub(super) struct Limit(pub(super) u32);

impl TryFrom<i64> for Limit {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        let limit = u32::try_from(number).ok();
        limit.map(Self).ok_or_else(|| format!("{number} is not a limit; expected 0 to {}", u32::MAX))
    }
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
