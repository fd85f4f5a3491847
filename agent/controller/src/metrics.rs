//! What the controller itself counts; its parts register their own.

use std::sync::atomic::AtomicI64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use weir_index::{Change, Changes};
use weir_process::{MetricsPage, Reply};
use weir_sources::Health;

mod sources;

use sources::Sources;

/// All metrics of this process.
pub(crate) struct Metrics {
    page: MetricsPage,
    events: Counter,
    commits: Histogram,
    changed: Family<[(&'static str, &'static str); 1], Counter>,
    leader: Gauge<i64, AtomicI64>,
    sources: Sources,
}

impl Metrics {
    /// Registers the controller's own metrics beside what the parts have put into `registry`.
    pub(crate) fn new(mut registry: Registry, sources: Option<Health>) -> Self {
        let build: Family<[(&'static str, &'static str); 2], Gauge> = Family::default();
        build.get_or_create(&[("component", "weir-controller"), ("tag", env!("CARGO_PKG_VERSION"))]).set(1);
        let (events, commits) = (Counter::default(), Histogram::new(BUCKETS));
        let (changed, leader) = (Family::default(), Gauge::default());
        registry.register("istio_build", "Component and version", build);
        registry.register("weir_source_events", "Changes that the sources told", events.clone());
        registry.register(
            "weir_index_publish_seconds",
            "From the first of the changes that are collected to their publication",
            commits.clone(),
        );
        registry.register("weir_index_changes", "Resources that changed", changed.clone());
        registry.register(
            "weir_controller_leader",
            "1 where this replica is the one that writes to the cluster",
            leader.clone(),
        );
        let sources = Sources::register(sources, &mut registry);
        Self { page: MetricsPage::new(registry), events, commits, changed, leader, sources }
    }

    /// Changes came from a source.
    pub(crate) fn events(&self, count: usize) {
        self.events.inc_by(count as u64);
    }

    /// A picture was published.
    pub(crate) fn published(&self, changes: &Changes, took: Duration) {
        self.commits.observe(took.as_secs_f64());
        let count = |kind, changes: &[Change]| {
            self.changed.get_or_create(&[("type", kind)]).inc_by(changes.len() as u64);
        };
        count("address", &changes.addresses);
        count("authorization", &changes.authorizations);
        for (kind, changes) in changes.layer7.iter() {
            count(kind.word(), changes);
        }
    }

    /// This replica was elected, or no longer is.
    pub(crate) fn leader(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// The page for Prometheus.
    pub(crate) fn page(&self) -> Reply {
        self.sources.look();
        self.page.reply()
    }
}

const BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0];
