//! The label sets of Istio's request and connection metrics, in its order.

use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabel as _, EncodeLabelSet, LabelSetEncoder};

use weir_proto::l7;

use super::Flags;

/// One end of a request: a workload, as far as it is known. Made once for each and shared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "Istio's names; its documentation of the standard metrics says what they are")]
pub struct Party {
    pub workload: Value,
    pub namespace: Value,
    pub principal: Value,
    pub app: Value,
    pub version: Value,
    pub canonical_service: Value,
    pub canonical_revision: Value,
    pub cluster: Value,
}

impl Party {
    /// An endpoint.
    pub(crate) fn of(endpoint: &l7::Endpoint) -> Self {
        let value = |text: &String| Value::from(text.as_str());
        Self {
            workload: value(&endpoint.workload),
            namespace: value(&endpoint.workload_namespace),
            principal: value(&endpoint.identity),
            app: value(&endpoint.canonical_name),
            version: value(&endpoint.canonical_revision),
            canonical_service: value(&endpoint.canonical_name),
            canonical_revision: value(&endpoint.canonical_revision),
            cluster: value(&endpoint.cluster),
        }
    }
}

/// The service that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "Istio's names")]
pub struct ServiceName {
    pub hostname: Value,
    pub name: Value,
    pub namespace: Value,
}

/// A label's value; nothing is written as `unknown`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Value(Option<Arc<str>>);

impl Value {
    /// The text, if there is one.
    pub fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(Some(text).filter(|t| !t.is_empty()).map(Arc::from))
    }
}

/// What the metrics of a connection are told apart by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PairLabels {
    pub(crate) source: Arc<Party>,
    pub(crate) destination: Arc<Party>,
    pub(crate) service: Arc<ServiceName>,
    pub(crate) protocol: &'static str,
    pub(crate) mutual_tls: bool,
    pub(crate) flags: Flags,
}

/// What the metrics of requests are told apart by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RequestLabels {
    pub(crate) pair: PairLabels,
    /// 0: the client was gone before there was an answer.
    pub(crate) code: u16,
    /// Of gRPC alone.
    pub(crate) grpc_status: Option<u32>,
}

impl EncodeLabelSet for PairLabels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> std::fmt::Result {
        let (source, destination, service) = (&self.source, &self.destination, &self.service);
        let values = [
            ("source_workload", source.workload.get()),
            ("source_canonical_service", source.canonical_service.get()),
            ("source_canonical_revision", source.canonical_revision.get().or(Some("latest"))),
            ("source_workload_namespace", source.namespace.get()),
            ("source_principal", source.principal.get()),
            ("source_app", source.app.get()),
            ("source_version", source.version.get()),
            ("source_cluster", source.cluster.get()),
            ("destination_workload", destination.workload.get()),
            ("destination_workload_namespace", destination.namespace.get()),
            ("destination_principal", destination.principal.get()),
            ("destination_app", destination.app.get()),
            ("destination_version", destination.version.get()),
            ("destination_service", service.hostname.get()),
            ("destination_canonical_service", destination.canonical_service.get()),
            // Istio's waypoints do not say it.
            ("destination_canonical_revision", None),
            ("destination_service_name", service.name.get()),
            ("destination_service_namespace", service.namespace.get()),
            ("destination_cluster", destination.cluster.get()),
            ("reporter", Some("waypoint")),
            ("request_protocol", Some(self.protocol)),
        ];
        for (name, value) in values {
            (name, value.unwrap_or("unknown")).encode(encoder.encode_label())?;
        }
        let security = if self.mutual_tls { "mutual_tls" } else { "none" };
        ("connection_security_policy", security).encode(encoder.encode_label())?;
        ("response_flags", self.flags.to_string()).encode(encoder.encode_label())
    }
}

impl EncodeLabelSet for RequestLabels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> std::fmt::Result {
        self.pair.encode(encoder)?;
        ("response_code", self.code).encode(encoder.encode_label())?;
        match self.grpc_status {
            Some(status) => ("grpc_response_status", status).encode(encoder.encode_label()),
            None => Ok(()),
        }
    }
}
