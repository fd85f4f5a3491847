//! The metrics that a connection's requests count in, within reach.

use std::cell::RefCell;
use std::sync::Arc;

use super::labels::{PairLabels, Party, RequestLabels, ServiceName};
use super::metrics::{Metrics, RequestSeries};

/// A client asks few things again and again: its last few series are found by comparing addresses and numbers,
/// without a hash of twenty texts.
#[derive(Default)]
pub(crate) struct SeriesCache(RefCell<Vec<(RequestLabels, RequestSeries)>>);

/// Beyond this, the connection talks to too many for this to help, and the memory would tell.
const KEPT: usize = 8;

impl SeriesCache {
    pub(super) fn with(&self, labels: RequestLabels, metrics: &Metrics, count: impl FnOnce(&RequestSeries)) {
        let mut kept = self.0.borrow_mut();
        if let Some((_, series)) = kept.iter().find(|(known, _)| same(known, &labels)) {
            return count(series);
        }
        let series = metrics.requests(&labels);
        count(&series);
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push((labels, series));
    }
}

fn same(a: &RequestLabels, b: &RequestLabels) -> bool {
    let ends = |l: &PairLabels| {
        let destination: *const Party = Arc::as_ptr(&l.destination);
        let service: *const ServiceName = Arc::as_ptr(&l.service);
        (Arc::as_ptr(&l.source), destination, service, l.flags, l.mutual_tls, l.protocol.len())
    };
    a.code == b.code && a.grpc_status == b.grpc_status && ends(&a.pair) == ends(&b.pair)
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::super::Flags;
    use super::*;

    fn labels(code: u16) -> RequestLabels {
        let source = Party { workload: "client".into(), ..Party::default() };
        let service = ServiceName { hostname: "b.ns.svc".into(), ..ServiceName::default() };
        let pair = PairLabels {
            source: Arc::new(source),
            destination: Arc::default(),
            service: Arc::new(service),
            protocol: "http",
            mutual_tls: true,
            flags: Flags::default(),
        };
        RequestLabels { pair, code, grpc_status: None }
    }

    #[test]
    fn one_series_for_the_same_labels() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let cache = SeriesCache::default();
        let ok = labels(200);
        for labels in [ok.clone(), ok.clone(), labels(200), labels(503)] {
            cache.with(labels, &metrics, |s| s.count(std::time::Duration::ZERO, [1, 2], [0, 0]));
        }
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let line = |code: &str| {
            text.lines()
                .find(|l| l.starts_with("istio_requests_total") && l.contains(code))
                .unwrap()
                .to_owned()
        };
        assert!(line("\"200\"").ends_with(" 3"), "{text}");
        assert!(line("\"503\"").ends_with(" 1"), "{text}");
        for part in [
            "source_workload=\"client\"",
            "source_canonical_revision=\"latest\"",
            "destination_workload=\"unknown\"",
            "destination_service=\"b.ns.svc\"",
            "connection_security_policy=\"mutual_tls\"",
            "response_flags=\"-\"",
            "request_protocol=\"http\"",
            "reporter=\"waypoint\"",
        ] {
            assert!(line("\"200\"").contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn few_are_kept() {
        let (metrics, cache) = (Metrics::default(), SeriesCache::default());
        for code in 200..230 {
            cache.with(labels(code), &metrics, |_| ());
        }
        assert_eq!(cache.0.borrow().len(), KEPT);
    }
}
