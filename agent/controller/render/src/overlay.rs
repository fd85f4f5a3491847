//! Overlays: ConfigMaps with a piece of YAML for each kind of object.

use std::collections::BTreeMap;

use serde_json::Value;
use weir_resources::{Gateway, Problem, documents};

use crate::PartKind;

/// Label of a ConfigMap of the root namespace with defaults for the class that it names.
pub const DEFAULTS_FOR_CLASS: &str = "gateway.istio.io/defaults-for-class";

/// A ConfigMap with overlays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// `ConfigMap namespace/name`, for who reads what is wrong with it.
    pub place: String,
    /// Its `data`.
    pub data: BTreeMap<String, String>,
}

/// Name of the ConfigMap with the gateway's own overlays.
///
/// # Errors
/// The gateway refers to something else.
pub fn parameters(gateway: &Gateway) -> Result<Option<&str>, Problem> {
    let Some(parameters) = &gateway.infrastructure.parameters else { return Ok(None) };
    if parameters.kind.as_ref() == "ConfigMap" && parameters.group.is_empty() && !parameters.name.is_empty() {
        return Ok(Some(&parameters.name));
    }
    let message = format!(
        "{:?} {:?} {:?} is no ConfigMap (group \"\", kind ConfigMap) of the Gateway's namespace",
        parameters.group, parameters.kind, parameters.name
    );
    Err(Problem::new("spec.infrastructure.parametersRef", message))
}

/// Overlays that have been read, in the order in which they are laid.
pub(crate) struct Overlays {
    /// The kind, where it is, and what it says.
    all: Vec<(PartKind, String, Value)>,
}

impl Overlays {
    /// Reads them all: what is wrong with one for a kind that is not made is wrong, too.
    pub(crate) fn read(overlays: &[Overlay]) -> Result<Self, Problem> {
        let mut all = Vec::new();
        for overlay in overlays {
            for (key, text) in &overlay.data {
                let place = format!("{} data.{key}", overlay.place);
                let kind = PartKind::ALL.into_iter().find(|kind| kind.overlay() == key);
                let kind = kind.ok_or_else(|| {
                    let known: Vec<_> = PartKind::ALL.into_iter().map(PartKind::overlay).collect();
                    Problem::new(&place, format!("is none of {}", known.join(", ")))
                })?;
                all.push((kind, place.clone(), patch(&place, text)?));
            }
        }
        Ok(Self { all })
    }

    /// Those for a kind, with their place.
    pub(crate) fn of(&self, kind: PartKind) -> impl Iterator<Item = (&str, &Value)> {
        let those = self.all.iter().filter(move |(of, ..)| *of == kind);
        those.map(|(_, place, patch)| (place.as_str(), patch))
    }
}

fn patch(place: &str, text: &str) -> Result<Value, Problem> {
    let mut documents = documents(text);
    let empty = || Value::Object(serde_json::Map::new());
    let (_, first) = match documents.next() {
        Some(document) => document.map_err(|problem| Problem::new(place, problem.to_string()))?,
        None => (1, empty()),
    };
    if documents.next().is_some() {
        return Err(Problem::new(place, "holds more than one document"));
    }
    match first {
        Value::Object(_) => Ok(first),
        _ => Err(Problem::new(place, "is no piece of an object")),
    }
}
