//! Connections and limits.

use serde::Deserialize;

use crate::part::{Part, Unknown};
use crate::value::IstioDuration;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct ConnectionPool {
    pub(crate) tcp: Part<Tcp>,
    pub(crate) http: Part<Http>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Tcp {
    #[serde(alias = "max_connections")]
    pub(crate) max_connections: Part<Limit>,
    #[serde(alias = "connect_timeout")]
    pub(crate) connect_timeout: Part<IstioDuration>,
    #[serde(alias = "tcp_keepalive")]
    pub(crate) tcp_keepalive: Part<TcpKeepalive>,
    #[serde(alias = "max_connection_duration")]
    pub(crate) max_connection_duration: Part<IstioDuration>,
    #[serde(alias = "idle_timeout")]
    pub(crate) idle_timeout: Part<IstioDuration>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TcpKeepalive {
    pub(crate) probes: u32,
    pub(crate) time: Option<IstioDuration>,
    pub(crate) interval: Option<IstioDuration>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Http {
    #[serde(alias = "http1_max_pending_requests")]
    pub(crate) http1_max_pending_requests: Part<Limit>,
    #[serde(alias = "http2_max_requests")]
    pub(crate) http2_max_requests: Part<Limit>,
    #[serde(alias = "max_requests_per_connection")]
    pub(crate) max_requests_per_connection: Part<Limit>,
    #[serde(alias = "max_retries")]
    pub(crate) max_retries: Part<Limit>,
    #[serde(alias = "idle_timeout")]
    pub(crate) idle_timeout: Part<IstioDuration>,
    #[serde(alias = "h2_upgrade_policy")]
    pub(crate) h2_upgrade_policy: Part<H2UpgradePolicy>,
    #[serde(alias = "use_client_protocol")]
    pub(crate) use_client_protocol: Part<bool>,
    #[serde(alias = "max_concurrent_streams")]
    pub(crate) max_concurrent_streams: Part<Limit>,
    #[serde(rename = "http2KeepAlive", alias = "http2_keep_alive", alias = "http2Keepalive")]
    pub(crate) http2_keep_alive: Part<Http2Keepalive>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http2Keepalive {
    pub(crate) interval: Option<IstioDuration>,
    pub(crate) timeout: Option<IstioDuration>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum H2UpgradePolicy {
    #[default]
    Default,
    DoNotUpgrade,
    Upgrade,
}

/// Not negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub(crate) struct Limit(pub(crate) u32);

impl TryFrom<i64> for Limit {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        let limit = u32::try_from(number).ok();
        limit.map(Self).ok_or_else(|| format!("{number} is not a limit; expected 0 to {}", u32::MAX))
    }
}
