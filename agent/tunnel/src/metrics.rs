//! Istio's connection metrics.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use weir_model::Service;

mod labels;

pub(crate) use labels::Ends;
pub use labels::{ConnectionLabels, Label, Reporter, ReporterLabels, ServiceLabels};

/// The counters of all workers.
#[derive(Debug, Default)]
pub struct Metrics {
    opened: Family<ConnectionLabels, Counter>,
    closed: Family<ConnectionLabels, Counter>,
    failed: Family<ConnectionLabels, Counter>,
    received: Family<ConnectionLabels, Counter>,
    sent: Family<ConnectionLabels, Counter>,
    sockets: Family<ReporterLabels, Gauge>,
    ejections: Family<ServiceLabels, Counter>,
    /// Who reports failures, if that is neither end.
    reporter: Option<&'static str>,
}

impl Metrics {
    /// Makes the counters and registers them under Istio's names.
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        let metrics = Self::default();
        let families = [
            ("istio_tcp_connections_opened", "Connections opened", &metrics.opened),
            ("istio_tcp_connections_closed", "Connections closed", &metrics.closed),
            (FAILED.0, FAILED.1, &metrics.failed),
            (
                "istio_tcp_received_bytes",
                "Bytes received from the downstream side: the request direction",
                &metrics.received,
            ),
            (
                "istio_tcp_sent_bytes",
                "Bytes sent to the downstream side: the response direction",
                &metrics.sent,
            ),
        ];
        for (name, help, family) in families {
            registry.register(name, help, family.clone());
        }
        let sockets = metrics.sockets.clone();
        registry.register("istio_tcp_sockets_open", "Connections open now", sockets);
        let help = "Times that an endpoint was left out because connections to it failed";
        registry.register("weir_endpoint_ejections", help, metrics.ejections.clone());
        Arc::new(metrics)
    }

    /// For a program that ends tunnels itself and counts what goes through them by its own metrics: tunnels that did not come
    /// about are all that is registered here.
    pub fn of_waypoint(registry: &mut Registry) -> Arc<Self> {
        let metrics = Self { reporter: Some("waypoint"), ..Self::default() };
        registry.register(FAILED.0, FAILED.1, metrics.failed.clone());
        Arc::new(metrics)
    }

    fn counters(&self, ends: &Ends) -> Counters {
        let labels = ends.labels("-");
        let reporter = ReporterLabels { reporter: ends.reporter };
        Counters {
            opened: self.opened.get_or_create_owned(&labels),
            closed: self.closed.get_or_create_owned(&labels),
            received: self.received.get_or_create_owned(&labels),
            sent: self.sent.get_or_create_owned(&labels),
            sockets: self.sockets.get_or_create_owned(&reporter),
        }
    }

    /// Counts a failure. Rare, so its counter is looked up each time.
    pub(crate) fn fail(&self, ends: &Ends, flags: &'static str) {
        let labels = ends.labels(flags);
        let reporter = self.reporter.unwrap_or(labels.reporter);
        self.failed.get_or_create(&ConnectionLabels { reporter, ..labels }).inc();
    }

    /// Counts an ejection.
    pub(crate) fn eject(&self, service: &Service) {
        self.ejections.get_or_create(&ServiceLabels::of(service)).inc();
    }
}

/// The counters of one pair of workloads. A connection holds them: finding them costs more than counting.
#[derive(Debug, Clone)]
pub(crate) struct Counters {
    pub(crate) opened: Counter<u64, AtomicU64>,
    pub(crate) closed: Counter<u64, AtomicU64>,
    pub(crate) received: Counter<u64, AtomicU64>,
    pub(crate) sent: Counter<u64, AtomicU64>,
    pub(crate) sockets: Gauge,
}

/// A worker's memory of counters, so that a connection between known workloads takes no lock and makes no
/// labels.
#[derive(Default)]
pub(crate) struct CounterCache(RefCell<HashMap<labels::EndsKey, (Ends, std::rc::Rc<Counters>)>>);

impl CounterCache {
    pub(crate) fn get(&self, metrics: &Metrics, ends: &Ends) -> std::rc::Rc<Counters> {
        let key = ends.key();
        if let Some((_, counters)) = self.0.borrow().get(&key) {
            return counters.clone();
        }
        let counters = std::rc::Rc::new(metrics.counters(ends));
        let mut known = self.0.borrow_mut();
        // Directory updates leave entries that nobody asks for any more.
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(key, (ends.clone(), counters.clone()));
        counters
    }
}

const MAX_KNOWN: usize = 1024;
const FAILED: (&str, &str) = ("istio_tcp_connections_failed", "Connections that failed or were refused");
