//! An object of the API to an event.

use kube::api::{DynamicObject, TypeMeta};
use kube::core::ApiResource;
use weir_resources::{Event, Invalid, Key, Kind, Meta, Problem, parse};

/// The object is there.
pub(super) fn applied(kind: Kind, resource: &ApiResource, mut object: DynamicObject) -> Event {
    let key = key(kind, &object);
    // Half of the bytes of many objects, and nothing that the mesh reads.
    object.metadata.managed_fields = None;
    // Items of a list of Kubernetes' own kinds do not say what they are.
    object.types = Some(TypeMeta { api_version: resource.api_version.clone(), kind: resource.kind.clone() });
    let parsed = match serde_json::to_value(object) {
        Ok(value) => parse(value),
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
