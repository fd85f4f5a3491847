//! The Prometheus page: each part owns its metrics, this file joins them with the node's own.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use weir_process::{MetricsPage, Reply};

use crate::run::Parts;

/// All metrics of this agent.
pub(crate) struct Metrics {
    page: MetricsPage,
    enrolled: Gauge,
    unprotected: Gauge,
    open_files: Gauge,
    kubelet: Gauge,
    plugin: Gauge,
    plugin_writes: Counter<u64, AtomicU64>,
    decisions: Family<[(&'static str, &'static str); 1], Counter<u64, AtomicU64>>,
}

impl Metrics {
    /// Registers the node's own metrics beside what the parts have put into `registry`.
    pub(crate) fn new(mut registry: Registry, node: &str) -> Self {
        let build: Family<[(&'static str, String); 3], Gauge> = Family::default();
        build
            .get_or_create(&[
                ("component", "weir-agent".into()),
                ("tag", env!("CARGO_PKG_VERSION").into()),
                ("node", node.into()),
            ])
            .set(1);
        let (enrolled, unprotected, open_files) = (Gauge::default(), Gauge::default(), Gauge::default());
        let decisions = Family::default();
        registry.register("istio_build", "Component and version", build);
        registry.register(
            "weir_pods_enrolled",
            "Pods of this node whose traffic is captured",
            enrolled.clone(),
        );
        registry.register(
            "weir_pods_unprotected",
            "Pods of this node that should be captured and are not as they should be; GET /config_dump says why",
            unprotected.clone(),
        );
        registry.register(
            "weir_capture_decisions",
            "What the kernel programs decided about connections",
            decisions.clone(),
        );
        let kubelet = Gauge::default();
        registry.register(
            "weir_kubelet_known",
            "Whether the kubelet's process is known, so that its probes pass (0 also where it is known by its cgroup, or not at all)",
            kubelet.clone(),
        );
        let (plugin, plugin_writes) = (Gauge::default(), Counter::default());
        registry.register(
            "weir_cni_installed",
            "Whether the CNI plugin is in the list that the node's runtime reads (0 where it is not to be)",
            plugin.clone(),
        );
        registry.register(
            "weir_cni_writes",
            "How often the node's list of CNI plugins had to be written: more than once, somebody else writes it, too",
            plugin_writes.clone(),
        );
        registry.register("process_open_fds", "Open file descriptors", open_files.clone());
        Self {
            page: MetricsPage::new(registry),
            enrolled,
            unprotected,
            open_files,
            kubelet,
            plugin,
            plugin_writes,
            decisions,
        }
    }

    /// The page, with those values that are read from elsewhere brought up to date first.
    pub(crate) fn page(&self, parts: &Parts) -> anyhow::Result<Reply> {
        let protection = parts.protection();
        self.enrolled.set(parts.pods.by_cookie.load().len() as i64);
        self.unprotected.set(protection.unprotected.len() as i64);
        self.open_files.set(std::fs::read_dir("/proc/self/fd").map_or(0, |dir| dir.count() as i64));
        if let Some(is_known) = &parts.kubelet {
            self.kubelet.set(is_known.load(Ordering::Relaxed).into());
        }
        if let Some(installed) = &parts.plugin {
            self.plugin.set(installed.is.load(Ordering::Relaxed).into());
            self.plugin_writes.inner().store(installed.writes.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        for (decision, count) in parts.datapath.counters()? {
            let counter = self.decisions.get_or_create_owned(&[("decision", decision)]);
            counter.inner().store(count, Ordering::Relaxed);
        }
        Ok(self.page.reply())
    }
}
