//! How an endpoint is chosen.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::part::{Part, Unknown};
use crate::value::{HeaderName, IstioDuration, Percent};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct LoadBalancer {
    pub(crate) simple: Part<Simple>,
    #[serde(alias = "consistent_hash")]
    pub(crate) consistent_hash: Part<ConsistentHash>,
    #[serde(alias = "locality_lb_setting")]
    pub(crate) locality_lb_setting: Part<Locality>,
    #[serde(alias = "zone_aware_lb_setting")]
    pub(crate) zone_aware_lb_setting: Part<serde_json::Value>,
    /// Deprecated.
    #[serde(alias = "warmup_duration_secs")]
    pub(crate) warmup_duration_secs: Part<IstioDuration>,
    pub(crate) warmup: Part<Warmup>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Simple {
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
pub(crate) struct ConsistentHash {
    #[serde(alias = "http_header_name")]
    pub(crate) http_header_name: Option<HeaderName>,
    #[serde(alias = "http_cookie")]
    pub(crate) http_cookie: Option<Cookie>,
    #[serde(alias = "use_source_ip")]
    pub(crate) use_source_ip: bool,
    #[serde(alias = "http_query_parameter_name")]
    pub(crate) http_query_parameter_name: Option<String>,
    #[serde(alias = "ring_hash")]
    pub(crate) ring_hash: Option<RingHash>,
    pub(crate) maglev: Option<Maglev>,
    /// Deprecated.
    #[serde(alias = "minimum_ring_size")]
    pub(crate) minimum_ring_size: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RingHash {
    #[serde(alias = "minimum_ring_size")]
    pub(crate) minimum_ring_size: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Maglev {
    #[serde(alias = "table_size")]
    pub(crate) table_size: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Cookie {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) ttl: Option<IstioDuration>,
    pub(crate) attributes: Vec<Attribute>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Locality {
    pub(crate) enabled: Option<bool>,
    pub(crate) distribute: Vec<Distribute>,
    pub(crate) failover: Vec<Failover>,
    #[serde(alias = "failover_priority")]
    pub(crate) failover_priority: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Distribute {
    pub(crate) from: String,
    pub(crate) to: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Failover {
    pub(crate) from: String,
    pub(crate) to: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Warmup {
    pub(crate) duration: Option<IstioDuration>,
    #[serde(alias = "minimum_percent")]
    pub(crate) minimum_percent: Option<Percent>,
    pub(crate) aggression: Option<f64>,
}
