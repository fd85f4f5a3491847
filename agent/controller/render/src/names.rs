//! What everything that belongs to a gateway is called, and labelled with.

use serde_json::{Map, Value, json};
use weir_resources::{Gateway, Problem};

/// Label of every object that a controller of gateways makes; who makes it is its value.
pub const MANAGED: &str = "gateway.istio.io/managed";
/// Ours.
pub const MANAGED_BY: &str = "weir.dev-mesh-controller";

/// Names of what runs a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Of all objects but the service account.
    pub own: String,
    /// Of the service account.
    pub account: String,
    /// The service account is the user's, who has named it.
    pub foreign_account: bool,
}

impl Names {
    /// As the gateway wants them.
    ///
    /// # Errors
    /// One of them is none.
    pub fn of(gateway: &Gateway) -> Result<Self, Problem> {
        let meta = &gateway.meta;
        let asked = |annotation: &'static str| {
            let value = meta.annotations.get(annotation).filter(|value| !value.is_empty());
            value.map(|value| checked(&format!("metadata.annotations[{annotation}]"), value)).transpose()
        };
        let own = match asked(NAME)? {
            Some(name) => name,
            // A Service needs a shorter name than a Gateway.
            None => checked("metadata.name", &meta.name)?,
        };
        let account = asked(ACCOUNT)?;
        Ok(Self {
            account: account.clone().unwrap_or_else(|| own.clone()),
            own,
            foreign_account: account.is_some(),
        })
    }
}

/// A name that a Service can have, too: RFC 1035.
fn checked(field: &str, name: &str) -> Result<String, Problem> {
    let is_fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = name.len() <= MAX_NAME
        && name.chars().all(is_fit)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-');
    if good {
        return Ok(name.to_owned());
    }
    let message = format!(
        "{name:?} cannot be the name of a Service (at most {MAX_NAME} of a-z, 0-9 and -, a letter first); \
         annotation {NAME} can give another"
    );
    Err(Problem::new(field, message))
}

/// Labels by which what belongs to a gateway is found.
pub(crate) fn labels(gateway: &Gateway) -> Map<String, Value> {
    let labels = json!({
        (MANAGED): MANAGED_BY, (GATEWAY_NAME): *gateway.meta.name, (CLASS_NAME): *gateway.class,
    });
    match labels {
        Value::Object(labels) => labels,
        _ => Map::new(),
    }
}

/// The pods.
pub(crate) fn selector(gateway: &Gateway) -> Value {
    json!({(GATEWAY_NAME): *gateway.meta.name})
}

/// `metadata` of an object of the gateway's.
pub(crate) fn metadata(gateway: &Gateway, name: &str) -> Value {
    let own = &gateway.infrastructure;
    let text = |(name, value): (&str, &str)| (name.to_owned(), json!(value));
    let mut all: Map<String, Value> = own.labels.iter().map(text).collect();
    all.extend(labels(gateway));
    let mut metadata = json!({
        "name": name, "namespace": *gateway.meta.namespace, "labels": all,
        "ownerReferences": [{
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "name": *gateway.meta.name,
            "uid": *gateway.meta.uid,
        }],
    });
    if !own.annotations.is_empty() {
        metadata["annotations"] = own.annotations.iter().map(text).collect::<Map<_, _>>().into();
    }
    metadata
}

/// Labels and annotations that are not the user's to give.
pub(crate) fn check_infrastructure(gateway: &Gateway) -> Result<(), Problem> {
    let ours = labels(gateway);
    for (name, _) in gateway.infrastructure.labels.iter() {
        if ours.contains_key(name) || POD_LABELS.contains(&name) {
            let field = format!("spec.infrastructure.labels[{name}]");
            return Err(Problem::new(field, "is a label that a waypoint's objects have already"));
        }
    }
    Ok(())
}

pub(crate) const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
const CLASS_NAME: &str = "gateway.networking.k8s.io/gateway-class-name";
/// Others that the pods have.
const POD_LABELS: [&str; 3] =
    ["istio.io/dataplane-mode", "sidecar.istio.io/inject", "service.istio.io/canonical-name"];
const NAME: &str = "gateway.istio.io/name-override";
const ACCOUNT: &str = "gateway.istio.io/service-account";
const MAX_NAME: usize = 63;
