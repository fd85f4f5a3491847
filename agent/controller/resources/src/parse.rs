//! JSON to an object.

use serde_json::Value;

use crate::{
    Invalid, Key, Kind, Meta, Namespace, Object, Policy, Problem, Routing, ServiceAccount, WorkloadGroup,
};

mod endpoint_slice;
mod gateway;
mod meta;
mod node;
mod pod;
mod probe;
mod read;
mod scalar;
mod secret;
mod service;
mod service_entry;
mod workload_entry;

pub use meta::conditions;
use read::read;

/// Reads an object. Fields that the mesh does not know are passed over, but for Istio's kinds, whose specs are written by
/// hand for the mesh: an unknown field there is a misspelt one.
///
/// # Errors
/// The first thing that is wrong, with the path of the field, and as much of the metadata as could be read.
pub fn parse(mut value: Value) -> Result<Object, Invalid> {
    let Some(kind) = kind_of(&value) else {
        let problem = Problem::new("kind", "is no kind that the mesh reads");
        return Err(Invalid { key: None, meta: Box::default(), problem, spec: None });
    };
    // These are read rule by rule elsewhere, where a null has its own meaning.
    let is_raw = kind.is_kept_raw();
    let raw = value.get_mut("spec").filter(|_| is_raw).map(Value::take).unwrap_or_default();
    without_nulls(&mut value);
    let (meta, wrong) = meta::read(&value, kind);
    let version = check_version(&value, kind);
    let spec = (is_raw && version.is_ok() && wrong.is_some()).then(|| Box::new(raw.clone()));
    let read = version.and(wrong.map_or(Ok(()), Err)).and_then(|()| body(kind, &value, raw, &meta));
    match read {
        Ok(mut object) => {
            *object.meta_mut() = meta;
            Ok(object)
        }
        Err(problem) => Err(Invalid { key: key(kind, &meta), meta: Box::new(meta), problem, spec }),
    }
}

/// Which kind an object says it is; `None` if it is none of ours. The version does not matter.
pub fn kind_of(value: &Value) -> Option<Kind> {
    let name = value.get("kind")?.as_str()?;
    let group = match value.get("apiVersion") {
        Some(Value::String(text)) => text.split_once('/').map_or("", |(group, _)| group),
        // Somebody forgot it, and is told so.
        _ => return Kind::ALL.into_iter().find(|kind| kind.name() == name),
    };
    Kind::ALL.into_iter().find(|kind| kind.name() == name && kind.group() == group)
}

fn check_version(value: &Value, kind: Kind) -> Result<(), Problem> {
    let said = value.get("apiVersion").and_then(Value::as_str);
    let version = said.map(|text| text.split_once('/').map_or(text, |(_, version)| version));
    if version.is_some_and(|version| kind.versions().contains(&version)) {
        return Ok(());
    }
    let slash = if kind.group().is_empty() { "" } else { "/" };
    let known: Vec<_> = kind.versions().iter().map(|v| format!("{}{slash}{v}", kind.group())).collect();
    let known = known.join(", ");
    Err(Problem::new(
        "apiVersion",
        match said {
            Some(said) => format!(
                "{} is not a version of {} that is read; expected {known}",
                read::quote(said),
                kind.name()
            ),
            None => format!("is missing; expected {known}"),
        },
    ))
}

fn body(kind: Kind, value: &Value, raw: Value, meta: &Meta) -> Result<Object, Problem> {
    let policy = |spec| Policy { meta: Meta::default(), spec };
    let routing = |spec| {
        let parents = value.pointer("/status/parents").and_then(Value::as_array);
        Routing { meta: Meta::default(), spec, parents: parents.cloned().unwrap_or_default() }
    };
    Ok(match kind {
        Kind::Namespace => Object::Namespace(Namespace::default()),
        Kind::Node => Object::Node(read::<node::Document>(value)?.into()),
        Kind::Pod => Object::Pod(read::<pod::Document>(value)?.into()),
        Kind::Service => Object::Service(read::<service::Document>(value)?.check()?),
        Kind::EndpointSlice => {
            Object::EndpointSlice(read::<endpoint_slice::Document>(value)?.check(&meta.namespace)?)
        }
        Kind::ServiceAccount => Object::ServiceAccount(ServiceAccount::default()),
        Kind::ConfigMap => Object::ConfigMap(read::<node::ConfigMapDocument>(value)?.into()),
        Kind::Secret => Object::Secret(secret::secret(value)?),
        Kind::GatewayClass => Object::GatewayClass(read::<gateway::ClassDocument>(value)?.into()),
        Kind::Gateway => Object::Gateway(read::<gateway::Document>(value)?.check()),
        Kind::ServiceEntry => Object::ServiceEntry(read::<service_entry::Document>(value)?.check()?),
        Kind::WorkloadEntry => Object::WorkloadEntry(read::<workload_entry::Document>(value)?.check(meta)?),
        Kind::WorkloadGroup => {
            read::<workload_entry::GroupDocument>(value)?;
            Object::WorkloadGroup(WorkloadGroup::default())
        }
        Kind::AuthorizationPolicy => Object::AuthorizationPolicy(policy(raw)),
        Kind::PeerAuthentication => Object::PeerAuthentication(policy(raw)),
        Kind::VirtualService => Object::VirtualService(routing(raw)),
        Kind::DestinationRule => Object::DestinationRule(routing(raw)),
        Kind::HttpRoute => Object::HttpRoute(routing(raw)),
        Kind::GrpcRoute => Object::GrpcRoute(routing(raw)),
        Kind::ReferenceGrant => Object::ReferenceGrant(routing(raw)),
    })
}

/// Only an object with a name can be found again.
fn key(kind: Kind, meta: &Meta) -> Option<Key> {
    let complete = !meta.name.is_empty() && (!kind.is_namespaced() || !meta.namespace.is_empty());
    complete.then(|| Key { kind, namespace: meta.namespace.clone(), name: meta.name.clone() })
}

/// For Kubernetes a field that is null is one that is not there, and its own objects have some.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
