//! `metadata`, and the conditions of `status`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::read::{quote, read_at};
use super::scalar::LabelMap;
use crate::{Condition, Kind, Labels, Meta, Problem, intern, names};

/// Reads as much as there is, and says the first thing that is wrong: whoever reports about an object needs its name also
/// if a label of it is bad.
pub(super) fn read(value: &Value, kind: Kind) -> (Meta, Option<Problem>) {
    let mut parts = Parts { metadata: value.get("metadata").unwrap_or(&Value::Null), wrong: None };
    let meta = Meta {
        name: parts.name(kind),
        namespace: parts.namespace(kind),
        uid: parts.get::<String>("uid").unwrap_or_default().into(),
        generation: parts.get("generation").unwrap_or_default(),
        created: parts.created(),
        deleting: parts.metadata.get("deletionTimestamp").is_some(),
        labels: parts.get::<LabelMap>("labels").unwrap_or_default().0,
        annotations: parts.annotations(),
        conditions: match kind {
            // There are many pods with many conditions, and one of them is ours.
            Kind::Pod => {
                let ours = |condition: &Condition| condition.kind.starts_with("weir.dev/");
                conditions_of_status(value).into_iter().filter(ours).collect()
            }
            kind if has_conditions(kind) => conditions_of_status(value),
            _ => Vec::new(),
        },
    };
    (meta, parts.wrong)
}

struct Parts<'a> {
    metadata: &'a Value,
    wrong: Option<Problem>,
}

impl<'a> Parts<'a> {
    fn get<T: Deserialize<'a>>(&mut self, name: &str) -> Option<T> {
        let value = self.metadata.get(name)?;
        read_at(&format!("metadata.{name}"), value).map_err(|problem| self.wrong(problem)).ok()
    }

    fn wrong(&mut self, problem: Problem) {
        self.wrong.get_or_insert(problem);
    }

    /// Empty if it is missing or bad.
    fn name(&mut self, kind: Kind) -> Arc<str> {
        let name: String = match self.metadata.get("name") {
            Some(_) => self.get("name").unwrap_or_default(),
            None => {
                self.wrong(Problem::new("metadata.name", "is missing"));
                return Arc::default();
            }
        };
        let good = match kind {
            Kind::Namespace | Kind::Service => names::is_label(&name),
            _ => names::is_subdomain(&name),
        };
        if good {
            // Endpoints name their pods.
            return intern::text(&name);
        }
        let message = format!("{} is not a name that Kubernetes allows", quote(&name));
        self.wrong(Problem::new("metadata.name", message));
        Arc::default()
    }

    /// Empty if it is bad, or the kind has none.
    fn namespace(&mut self, kind: Kind) -> Arc<str> {
        if !kind.is_namespaced() {
            return Arc::default();
        }
        let namespace: String = match self.metadata.get("namespace") {
            Some(_) => self.get("namespace").unwrap_or_default(),
            None => "default".to_owned(),
        };
        if names::is_label(&namespace) {
            return intern::text(&namespace);
        }
        let message = format!("{} is not the name of a namespace", quote(&namespace));
        self.wrong(Problem::new("metadata.namespace", message));
        Arc::default()
    }

    fn created(&mut self) -> Option<i64> {
        let text: String = self.get("creationTimestamp")?;
        let parsed = OffsetDateTime::parse(&text, &Rfc3339);
        let wrong = |_| {
            self.wrong(Problem::new(
                "metadata.creationTimestamp",
                format!("{} is not a time of RFC 3339", quote(&text)),
            ))
        };
        parsed.map(OffsetDateTime::unix_timestamp).map_err(wrong).ok()
    }

    fn annotations(&mut self) -> Labels {
        let all: BTreeMap<String, String> = self.get("annotations").unwrap_or_default();
        let kept = all.into_iter().filter(|(name, _)| is_known(name));
        let kept: Vec<_> = kept.map(|(name, value)| (intern::text(&name), intern::text(&value))).collect();
        Labels::interned(&kept)
    }
}

/// Others can be large (what `kubectl apply` sent last), and there are as many of them as pods.
fn is_known(annotation: &str) -> bool {
    annotation.starts_with("weir.dev/") || KNOWN.contains(&annotation)
}

const KNOWN: [&str; 16] = [
    "ambient.istio.io/redirection",
    "ambient.istio.io/bypass-inbound-capture",
    "ambient.istio.io/dns-capture",
    "ambient.istio.io/waypoint-inbound-binding",
    "ambient.istio.io/xfcc-include-client-identity",
    "gateway.istio.io/name-override",
    "gateway.istio.io/service-account",
    "gateway.istio.io/controller-version",
    "istio.io/connect-strategy",
    "istio.io/dry-run",
    "istio.io/reroute-virtual-interfaces",
    "istio.io/use-waypoint-canary-weight",
    "kubernetes.io/config.hash",
    "networking.istio.io/service-type",
    "networking.istio.io/traffic-distribution",
    "sidecar.istio.io/status",
];

/// Whether the controller writes conditions on objects of the kind, and so must know those that are there.
fn has_conditions(kind: Kind) -> bool {
    match kind {
        Kind::Service
        | Kind::GatewayClass
        | Kind::Gateway
        | Kind::ServiceEntry
        | Kind::WorkloadEntry
        | Kind::WorkloadGroup
        | Kind::AuthorizationPolicy
        | Kind::PeerAuthentication
        | Kind::VirtualService
        | Kind::DestinationRule => true,
        Kind::Namespace
        | Kind::Node
        | Kind::Pod
        | Kind::EndpointSlice
        | Kind::ServiceAccount
        | Kind::ConfigMap
        | Kind::Secret
        // Their conditions are in `status.parents`.
        | Kind::HttpRoute
        | Kind::GrpcRoute
        | Kind::ReferenceGrant => false,
    }
}

/// A status is written by controllers. One that cannot be understood is passed over: it is no fault of the object's author.
fn conditions_of_status(value: &Value) -> Vec<Condition> {
    value.get("status").map(conditions).unwrap_or_default()
}

/// The `conditions` in a status, or in a part of it.
pub fn conditions(status: &Value) -> Vec<Condition> {
    let conditions = status.get("conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().filter_map(condition).collect()
}

fn condition(value: &Value) -> Option<Condition> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = Some(text("type")).filter(|kind| !kind.is_empty())?;
    // Istio's conditions are protobuf in JSON, where 64 bits are a string.
    let generation = value.get("observedGeneration");
    let generation = generation.and_then(|number| number.as_i64().or_else(|| number.as_str()?.parse().ok()));
    Some(Condition {
        kind,
        status: text("status"),
        reason: text("reason"),
        message: text("message"),
        observed_generation: generation.unwrap_or_default(),
    })
}
