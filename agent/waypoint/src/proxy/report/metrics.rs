//! Istio's metrics of requests and of connections.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::labels::{PairLabels, RequestLabels};

type Histograms = Family<RequestLabels, Histogram, fn() -> Histogram>;

/// The metrics of all workers.
#[derive(Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    duration: Histograms,
    request_bytes: Histograms,
    response_bytes: Histograms,
    request_messages: Family<RequestLabels, Counter>,
    response_messages: Family<RequestLabels, Counter>,
    opened: Family<PairLabels, Counter>,
    closed: Family<PairLabels, Counter>,
    received: Family<PairLabels, Counter>,
    sent: Family<PairLabels, Counter>,
}

impl Metrics {
    /// Makes the metrics and registers them under Istio's names.
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        let metrics = Self::default();
        let counters = [
            ("istio_requests", "Requests", &metrics.requests),
            ("istio_request_messages", "gRPC messages from clients", &metrics.request_messages),
            ("istio_response_messages", "gRPC messages to clients", &metrics.response_messages),
        ];
        for (name, help, family) in counters {
            registry.register(name, help, family.clone());
        }
        let histograms = [
            ("istio_request_duration_milliseconds", "Duration of requests", &metrics.duration),
            ("istio_request_bytes", "Size of requests, heads and bodies", &metrics.request_bytes),
            ("istio_response_bytes", "Size of responses, heads and bodies", &metrics.response_bytes),
        ];
        for (name, help, family) in histograms {
            registry.register(name, help, family.clone());
        }
        let connections = [
            ("istio_tcp_connections_opened", "Connections opened", &metrics.opened),
            ("istio_tcp_connections_closed", "Connections closed", &metrics.closed),
            ("istio_tcp_received_bytes", "Bytes received from clients", &metrics.received),
            ("istio_tcp_sent_bytes", "Bytes sent to clients", &metrics.sent),
        ];
        for (name, help, family) in connections {
            registry.register(name, help, family.clone());
        }
        Arc::new(metrics)
    }

    pub(super) fn requests(&self, labels: &RequestLabels) -> RequestSeries {
        RequestSeries {
            count: self.requests.get_or_create_owned(labels),
            duration: self.duration.get_or_create_owned(labels),
            request_bytes: self.request_bytes.get_or_create_owned(labels),
            response_bytes: self.response_bytes.get_or_create_owned(labels),
            messages: (labels.pair.protocol == "grpc").then(|| {
                let of = |family: &Family<_, Counter>| family.get_or_create_owned(labels);
                [of(&self.request_messages), of(&self.response_messages)]
            }),
        }
    }

    pub(crate) fn connections(&self, labels: &PairLabels) -> TcpSeries {
        TcpSeries {
            opened: self.opened.get_or_create_owned(labels),
            closed: self.closed.get_or_create_owned(labels),
            received: self.received.get_or_create_owned(labels),
            sent: self.sent.get_or_create_owned(labels),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let histograms = || Family::new_with_constructor(histogram as fn() -> Histogram);
        Self {
            requests: Family::default(),
            duration: histograms(),
            request_bytes: histograms(),
            response_bytes: histograms(),
            request_messages: Family::default(),
            response_messages: Family::default(),
            opened: Family::default(),
            closed: Family::default(),
            received: Family::default(),
            sent: Family::default(),
        }
    }
}

/// The metrics of requests that have all labels in common. Finding them costs more than counting.
#[derive(Debug, Clone)]
pub(crate) struct RequestSeries {
    count: Counter,
    duration: Histogram,
    request_bytes: Histogram,
    response_bytes: Histogram,
    /// Of gRPC: of the client, and to it.
    messages: Option<[Counter; 2]>,
}

impl RequestSeries {
    pub(super) fn count(&self, took: Duration, bytes: [u64; 2], messages: [u64; 2]) {
        self.count.inc();
        self.duration.observe(took.as_secs_f64() * 1000.0);
        self.request_bytes.observe(bytes[0] as f64);
        self.response_bytes.observe(bytes[1] as f64);
        for (counter, count) in self.messages.iter().flatten().zip(messages) {
            counter.inc_by(count);
        }
    }
}

/// The metrics of connections that have all labels in common.
#[derive(Debug, Clone)]
pub(crate) struct TcpSeries {
    pub(crate) opened: Counter,
    pub(crate) closed: Counter,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

/// Envoy's, of times and of sizes alike.
const BUCKETS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10000.0,
    30000.0,
    60000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];
