//! An object of the API to an event.

use kube::api::DynamicObject;
use kube::core::ApiResource;
use serde_json::{Map, Value};
use weir_resources::{Event, Invalid, Key, Kind, Meta, Problem, parse};

/// The object is there.
pub(super) fn applied(kind: Kind, resource: &ApiResource, mut object: DynamicObject) -> Event {
    let key = key(kind, &object);
    // Half of the bytes of many objects, and nothing that the mesh reads.
    object.metadata.managed_fields = None;
    let parsed = match serde_json::to_value(object.metadata) {
        Ok(metadata) => parse(whole(resource, metadata, object.data)),
        Err(error) => Err(unreadable(&key, &error)),
    };
    match parsed {
        Ok(object) => Event::Apply(Box::new(object)),
        Err(mut invalid) => {
            // The API knows its name even if we cannot read it.
            invalid.key.get_or_insert(key);
            Event::Invalid(Box::new(invalid))
        }
    }
}

/// The object as it was sent. What is not its metadata is moved, not written anew: a list of a large cluster is gigabytes.
fn whole(resource: &ApiResource, metadata: Value, data: Value) -> Value {
    let mut fields = match data {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    // Items of a list of Kubernetes' own kinds do not say what they are.
    fields.insert("apiVersion".into(), resource.api_version.clone().into());
    fields.insert("kind".into(), resource.kind.clone().into());
    fields.insert("metadata".into(), metadata);
    Value::Object(fields)
}

/// The object is gone.
pub(super) fn deleted(kind: Kind, object: &DynamicObject) -> Event {
    Event::Delete(key(kind, object))
}

fn key(kind: Kind, object: &DynamicObject) -> Key {
    let namespace = object.metadata.namespace.as_deref().filter(|_| kind.is_namespaced());
    Key::new(kind, namespace.unwrap_or_default(), object.metadata.name.as_deref().unwrap_or_default())
}

fn unreadable(key: &Key, error: &serde_json::Error) -> Invalid {
    let meta = Meta { namespace: key.namespace.clone(), name: key.name.clone(), ..Meta::default() };
    let problem = Problem::new("metadata", format!("is not what the API documents: {error}"));
    Invalid { key: Some(key.clone()), meta: Box::new(meta), problem, spec: None }
}
