//! What the bench measures: one row of the table each.

use serde::Serialize;

/// One kind of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Metric {
    /// Stable name, as in the JSON.
    pub(super) name: &'static str,
    /// What the table says.
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    pub(super) compare: Compare,
}

/// How a data plane's number stands beside the direct one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Compare {
    /// As a part of it: throughput, rates.
    Ratio,
    /// As what comes on top: latency.
    Difference,
    /// Not at all: a direct connection has no data plane whose CPU or memory could be counted.
    Alone,
}

/// A number and what it is.
pub(super) type Measured = (Metric, f64);

pub(super) const fn ratio(name: &'static str, title: &'static str, unit: &'static str) -> Metric {
    Metric { name, title, unit, compare: Compare::Ratio }
}

pub(super) const fn difference(name: &'static str, title: &'static str, unit: &'static str) -> Metric {
    Metric { name, title, unit, compare: Compare::Difference }
}

pub(super) const fn alone(name: &'static str, title: &'static str, unit: &'static str) -> Metric {
    Metric { name, title, unit, compare: Compare::Alone }
}

pub(super) const BULK_1: Metric = ratio("bulk_1_gbit_per_s", "1 bulk stream", "Gbit/s");
pub(super) const BULK_1_CPU: Metric = alone("bulk_1_cpu_s_per_gb", "  both sides' CPU per GB", "s");
pub(super) const BULK_8: Metric = ratio("bulk_8_gbit_per_s", "8 bulk streams", "Gbit/s");
pub(super) const BULK_8_CPU: Metric = alone("bulk_8_cpu_s_per_gb", "  both sides' CPU per GB", "s");

pub(super) const HTTP_1: Metric = ratio("http_1_per_s", "HTTP, 1 connection", "req/s");
pub(super) const HTTP_1_P50: Metric = difference("http_1_p50_us", "  p50", "us");
pub(super) const HTTP_1_P99: Metric = difference("http_1_p99_us", "  p99", "us");
pub(super) const HTTP_1_CPU: Metric =
    alone("http_1_cpu_s_per_1000", "  both sides' CPU per 1000 requests", "s");
pub(super) const HTTP_32: Metric = ratio("http_32_per_s", "HTTP, 32 connections", "req/s");
pub(super) const HTTP_32_P50: Metric = difference("http_32_p50_us", "  p50", "us");
pub(super) const HTTP_32_P99: Metric = difference("http_32_p99_us", "  p99", "us");
pub(super) const HTTP_32_CPU: Metric =
    alone("http_32_cpu_s_per_1000", "  both sides' CPU per 1000 requests", "s");

pub(super) const SHORT_1: Metric = ratio("short_1_per_s", "new connections, 1 in flight", "conn/s");
pub(super) const SHORT_1_P50: Metric = difference("short_1_p50_us", "  p50", "us");
pub(super) const SHORT_1_P99: Metric = difference("short_1_p99_us", "  p99", "us");
pub(super) const SHORT_1_CPU: Metric = alone("short_1_cpu_s_per_1000", "  both sides' CPU per 1000", "s");
pub(super) const SHORT_16: Metric = ratio("short_16_per_s", "new connections, 16 in flight", "conn/s");
pub(super) const SHORT_16_P50: Metric = difference("short_16_p50_us", "  p50", "us");
pub(super) const SHORT_16_P99: Metric = difference("short_16_p99_us", "  p99", "us");
pub(super) const SHORT_16_CPU: Metric = alone("short_16_cpu_s_per_1000", "  both sides' CPU per 1000", "s");

pub(super) const PILE_FIRST: Metric = ratio("pile_first_per_s", "30,000 short ones: first tenth", "conn/s");
pub(super) const PILE_LAST: Metric = ratio("pile_last_per_s", "  last tenth, among TIME_WAIT", "conn/s");
pub(super) const PILE_FAILED: Metric = alone("pile_failed", "  failed", "");

pub(super) const RSS_IDLE: Metric = alone("rss_idle_mib", "memory of an idle data plane, per node", "MiB");
pub(super) const RSS_CLIENT: Metric =
    alone("rss_client_kib_per_connection", "  per idle connection, client side", "KiB");
pub(super) const RSS_SERVER: Metric =
    alone("rss_server_kib_per_connection", "  per idle connection, server side", "KiB");
pub(super) const OPEN_ALIVE: Metric = alone("open_alive", "10,000 open connections: alive at the end", "");
pub(super) const OPEN_RATE: Metric = ratio("open_per_s", "  opened", "conn/s");
