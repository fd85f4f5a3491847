//! The label set of Istio's connection metrics, in its order.

use std::fmt::Write;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use weir_model::{Identity, Service, Workload};

/// Which end of a connection reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "the names are the label's values")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Reporter {
    source,
    destination,
}

impl Reporter {
    const fn name(self) -> &'static str {
        match self {
            Self::source => "source",
            Self::destination => "destination",
        }
    }
}

/// Labels of `istio_tcp_sockets_open`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReporterLabels {
    /// Which end.
    pub reporter: Reporter,
}

/// Labels of what is counted for a service as such.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
#[allow(missing_docs, reason = "those of the connection metrics")]
pub struct ServiceLabels {
    pub destination_service: Label,
    pub destination_service_namespace: Label,
    pub destination_service_name: Label,
}

impl ServiceLabels {
    pub(super) fn of(service: &Service) -> Self {
        Self {
            destination_service: Label::of(Some(&service.key.hostname)),
            destination_service_namespace: Label::of(Some(&service.key.namespace)),
            destination_service_name: Label::of(Some(&service.name)),
        }
    }
}

/// A value; nothing is written as `unknown`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Label(Option<Arc<str>>);

impl Label {
    fn of(text: Option<&Arc<str>>) -> Self {
        Self(text.filter(|t| !t.is_empty()).cloned())
    }
}

impl From<Option<&Identity>> for Label {
    fn from(identity: Option<&Identity>) -> Self {
        Self(identity.map(|i| i.to_string().into()))
    }
}

impl EncodeLabelValue for Label {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        encoder.write_str(self.0.as_deref().unwrap_or("unknown"))
    }
}

/// Labels of the connection metrics.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
#[allow(
    missing_docs,
    reason = "Istio's names; Istio's documentation of its standard metrics says what they are"
)]
pub struct ConnectionLabels {
    pub reporter: &'static str,
    pub source_workload: Label,
    pub source_canonical_service: Label,
    pub source_canonical_revision: Label,
    pub source_workload_namespace: Label,
    pub source_principal: Label,
    pub source_app: Label,
    pub source_version: Label,
    pub source_cluster: Label,
    pub destination_service: Label,
    pub destination_service_namespace: Label,
    pub destination_service_name: Label,
    pub destination_workload: Label,
    pub destination_canonical_service: Label,
    pub destination_canonical_revision: Label,
    pub destination_workload_namespace: Label,
    pub destination_principal: Label,
    pub destination_app: Label,
    pub destination_version: Label,
    pub destination_cluster: Label,
    pub request_protocol: &'static str,
    pub response_flags: &'static str,
    pub connection_security_policy: &'static str,
    pub source_region: Label,
    pub source_zone: Label,
    pub destination_region: Label,
    pub destination_zone: Label,
}

/// Who talks to whom.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    pub(crate) reporter: Reporter,
    pub(crate) source: Option<Arc<Workload>>,
    pub(crate) destination: Option<Arc<Workload>>,
    pub(crate) service: Option<Arc<Service>>,
    /// Proved by mTLS, or known because both are this agent's.
    pub(crate) source_identity: Option<Identity>,
    pub(crate) destination_identity: Option<Identity>,
    pub(crate) mutual_tls: bool,
}

/// [`Ends`] by the place of their parts, which is unique while the cache holds them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct EndsKey {
    places: [usize; 3],
    reporter: Reporter,
    source_identity: Option<Identity>,
    destination_identity: Option<Identity>,
    mutual_tls: bool,
}

impl Ends {
    /// Nobody yet.
    pub(crate) fn new(reporter: Reporter) -> Self {
        Self {
            reporter,
            source: None,
            destination: None,
            service: None,
            source_identity: None,
            destination_identity: None,
            mutual_tls: false,
        }
    }

    pub(super) fn key(&self) -> EndsKey {
        fn place<T>(part: &Option<Arc<T>>) -> usize {
            part.as_ref().map_or(0, |p| Arc::as_ptr(p) as usize)
        }
        EndsKey {
            places: [place(&self.source), place(&self.destination), place(&self.service)],
            reporter: self.reporter,
            source_identity: self.source_identity.clone(),
            destination_identity: self.destination_identity.clone(),
            mutual_tls: self.mutual_tls,
        }
    }

    pub(super) fn labels(&self, response_flags: &'static str) -> ConnectionLabels {
        let source = |f: fn(&Workload) -> &Arc<str>| Label::of(self.source.as_deref().map(f));
        let dest = |f: fn(&Workload) -> &Arc<str>| Label::of(self.destination.as_deref().map(f));
        let service = |f: fn(&Service) -> &Arc<str>| Label::of(self.service.as_deref().map(f));
        ConnectionLabels {
            reporter: self.reporter.name(),
            source_workload: source(|w| &w.workload_name),
            source_canonical_service: source(|w| &w.canonical_name),
            source_canonical_revision: source(|w| &w.canonical_revision),
            source_workload_namespace: source(|w| &w.namespace),
            source_principal: self.source_identity.as_ref().into(),
            source_app: source(|w| &w.canonical_name),
            source_version: source(|w| &w.canonical_revision),
            source_cluster: source(|w| &w.cluster_id),
            destination_service: service(|s| &s.key.hostname),
            destination_service_namespace: service(|s| &s.key.namespace),
            destination_service_name: service(|s| &s.name),
            destination_workload: dest(|w| &w.workload_name),
            destination_canonical_service: dest(|w| &w.canonical_name),
            destination_canonical_revision: dest(|w| &w.canonical_revision),
            destination_workload_namespace: dest(|w| &w.namespace),
            destination_principal: self.destination_identity.as_ref().into(),
            destination_app: dest(|w| &w.canonical_name),
            destination_version: dest(|w| &w.canonical_revision),
            destination_cluster: dest(|w| &w.cluster_id),
            request_protocol: "tcp",
            response_flags,
            connection_security_policy: if self.mutual_tls { "mutual_tls" } else { "unknown" },
            source_region: source(|w| &w.locality.region),
            source_zone: source(|w| &w.locality.zone),
            destination_region: dest(|w| &w.locality.region),
            destination_zone: dest(|w| &w.locality.zone),
        }
    }
}
