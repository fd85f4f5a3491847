//! What discovery streams count, by the names that Istio's dashboards know.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use prost::Message;
use weir_proto::discovery::DeltaDiscoveryResponse;
use weir_proto::type_url;

/// Counters of the streams of a process. Clones share the values.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    terminations: Family<Termination, Counter>,
    messages: Family<Url, Counter>,
    bytes: Family<Url, Counter>,
    connected: Gauge,
}

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Reason {
    /// There was no connection.
    ConnectionError,
    /// It was refused, or of no use.
    Error,
    /// The connection broke.
    Reconnect,
    /// The control plane ended it in order.
    Complete,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Termination {
    reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Url {
    url: &'static str,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "istio_xds_connection_terminations",
            "Streams to the control plane that ended, by reason",
            self.terminations.clone(),
        );
        registry.register("istio_xds_message", "Responses of the control plane", self.messages.clone());
        registry.register("istio_xds_message_bytes", "Their size on the wire", self.bytes.clone());
        registry.register(
            "weir_discovery_connected",
            "Streams to the control plane that are open",
            self.connected.clone(),
        );
    }

    pub(super) fn terminated(&self, reason: Reason) {
        self.terminations.get_or_create(&Termination { reason }).inc();
    }

    pub(super) fn message(&self, response: &DeltaDiscoveryResponse) {
        // A type that nobody asked for is the control plane's text: no label of its own.
        let url = Url { url: TYPES.into_iter().find(|url| *url == response.type_url).unwrap_or("other") };
        self.messages.get_or_create(&url).inc();
        self.bytes.get_or_create(&url).inc_by(response.encoded_len() as u64);
    }
}

/// A stream, until it is over.
pub(super) struct Open(Gauge);

impl Open {
    pub(super) fn count(metrics: &Metrics) -> Self {
        metrics.connected.inc();
        Self(metrics.connected.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What is asked for somewhere.
const TYPES: [&str; 6] = [
    type_url::ADDRESS,
    type_url::AUTHORIZATION,
    type_url::WAYPOINT,
    type_url::FRONTEND,
    type_url::BACKEND,
    type_url::ENDPOINTS,
];
