//! Resources applied, and what is published: one file per kind.

use weir_resources::{Event, Key, Kind, Object};

use crate::{Changes, Config, Index};

mod duplicates;
mod endpoint_slices;
mod gateways;
mod guards;
mod incremental;
mod l7;
mod node_pods;
mod pods;
mod policies;
mod policy_cases;
mod service_entries;
mod services;
mod statuses;
mod targets;
mod vips;
mod waypoints;
mod wire;
mod workload_entries;

/// An index that is given YAML.
pub(crate) struct Mesh {
    pub(crate) index: Index,
}

impl Mesh {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self { index: Index::new(config) }
    }

    /// Applies all documents of a text, and commits.
    pub(crate) fn apply(&mut self, yaml: &str) -> Changes {
        for object in objects(yaml) {
            self.index.apply(object);
        }
        self.index.commit()
    }

    /// Deletes an object, and commits.
    pub(crate) fn delete(&mut self, kind: Kind, namespace: &str, name: &str) -> Changes {
        self.index.apply(Event::Delete(Key::new(kind, namespace, name)));
        self.index.commit()
    }

    /// The workload of this uid, as our own agent understands it.
    pub(crate) fn workload(&self, uid: &str) -> Option<weir_model::Workload> {
        match self.address(uid)? {
            weir_discovery::convert::Resource::Workload(workload) => Some(*workload),
            weir_discovery::convert::Resource::Service(_) => None,
        }
    }

    /// The pod `namespace/name`.
    pub(crate) fn pod(&self, name: &str) -> Option<weir_model::Workload> {
        self.workload(&format!("Kubernetes//Pod/{name}"))
    }

    /// The service `namespace/hostname`, as our own agent understands it.
    pub(crate) fn service(&self, name: &str) -> Option<weir_model::Service> {
        match self.address(name)? {
            weir_discovery::convert::Resource::Service(service) => Some(*service),
            weir_discovery::convert::Resource::Workload(_) => None,
        }
    }

    fn address(&self, name: &str) -> Option<weir_discovery::convert::Resource> {
        let message = self.message(name)?;
        Some(weir_discovery::convert::address(message).expect("nothing that we publish is refused"))
    }

    /// The message of this name as it goes over the wire.
    pub(crate) fn message(&self, name: &str) -> Option<weir_proto::workload::Address> {
        let snapshot = self.index.snapshot();
        let resource = snapshot.address(name)?;
        Some(prost::Message::decode(resource.body.clone()).expect("what we encode can be decoded"))
    }

    /// Names of all addresses, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.index.snapshot().addresses().map(|r| r.name.to_string()).collect();
        names.sort();
        names
    }
}

/// `type=status/reason` of the conditions that an object is to get.
pub(crate) fn told(changes: &Changes, kind: Kind, name: &str) -> Vec<String> {
    let update = changes.statuses.iter().find(|update| update.key.kind == kind && *update.key.name == *name);
    let say = |c: &weir_resources::Condition| format!("{}={}/{}", c.kind, c.status, c.reason);
    update.into_iter().flat_map(|update| &update.conditions).map(say).collect()
}

/// The message of one of them.
pub(crate) fn message(changes: &Changes, name: &str, condition: &str) -> String {
    let update = changes.statuses.iter().find(|update| *update.key.name == *name).expect("a status");
    update.conditions.iter().find(|c| c.kind == condition).expect("a condition").message.clone()
}

/// Names of the addresses that changed; with a `-` before those that are gone.
pub(crate) fn changed(changes: &Changes) -> Vec<String> {
    let sign = |change: &crate::Change| if change.resource.is_some() { "" } else { "-" };
    changes.addresses.iter().map(|change| format!("{}{}", sign(change), change.name)).collect()
}

pub(crate) fn objects(yaml: &str) -> Vec<Event> {
    let documents = weir_resources::documents(yaml).map(|document| document.expect("YAML").1);
    documents
        .map(|value| match weir_resources::parse(value) {
            Ok(object) => Event::Apply(Box::new(object)),
            Err(invalid) => Event::Invalid(Box::new(invalid)),
        })
        .collect()
}

/// A pod that runs, is ready and is in the mesh.
pub(crate) fn pod(namespace: &str, name: &str, ip: &str, labels: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  namespace: {namespace}
  uid: uid-{name}
  labels: {{{labels}}}
  annotations: {{ambient.istio.io/redirection: enabled}}
spec: {{nodeName: n1, serviceAccountName: {name}}}
status:
  phase: Running
  podIP: {ip}
  conditions: [{{type: Ready, status: 'True'}}]
---
"
    )
}

#[test]
fn a_list_that_begins_again_drops_what_it_does_not_name() {
    let mut mesh = Mesh::new();
    mesh.apply(&pod("shop", "a", "10.0.0.1", ""));
    mesh.apply(&pod("shop", "b", "10.0.0.2", ""));
    mesh.index.apply(Event::Relist(Kind::Pod));
    assert!(mesh.apply(&pod("shop", "b", "10.0.0.2", "")).addresses.is_empty());
    mesh.index.apply(Event::Synced(Kind::Pod));
    assert_eq!(changed(&mesh.index.commit()), ["-Kubernetes//Pod/shop/a"]);
    assert_eq!(mesh.names(), ["Kubernetes//Pod/shop/b"]);
}

#[test]
fn the_index_is_synced_when_each_kind_was() {
    let mut index = Index::new(Config::default());
    for kind in Kind::ALL {
        assert!(!index.is_synced());
        index.apply(Event::Relist(kind));
        index.apply(Event::Synced(kind));
    }
    assert!(index.is_synced());
    index.apply(Event::Relist(Kind::Pod));
    assert!(index.is_synced(), "once complete, it has something to serve");
}

#[test]
fn several_changes_of_one_object_are_one_change() {
    let mut mesh = Mesh::new();
    for ip in ["10.0.0.1", "10.0.0.2", "10.0.0.3"] {
        objects(&pod("shop", "a", ip, "")).into_iter().for_each(|event| mesh.index.apply(event));
    }
    let changes = mesh.index.commit();
    assert_eq!(changed(&changes), ["Kubernetes//Pod/shop/a"]);
    mesh.index.apply(Event::Delete(Key::new(Kind::Pod, "shop", "a")));
    objects(&pod("shop", "a", "10.0.0.3", "")).into_iter().for_each(|event| mesh.index.apply(event));
    assert!(mesh.index.commit().addresses.is_empty(), "the same bytes are no change");
    let Event::Apply(object) = objects(&pod("shop", "a", "10.0.0.3", "")).remove(0) else { panic!("a pod") };
    assert!(matches!(*object, Object::Pod(_)));
}
