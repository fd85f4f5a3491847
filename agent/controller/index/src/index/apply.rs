//! One object comes, changes or goes.

use std::collections::BTreeSet;

use weir_resources::{Invalid, Key, Kind, Namespace, Node, Object};

use super::Index;
use crate::store::{Item, Labelled, Table};

impl Index {
    pub(super) fn set(&mut self, object: Object) {
        if !self.world.invalid.is_empty() {
            self.world.invalid.remove(&object.key());
        }
        let key = object.key();
        let (namespace, name) = (key.namespace.clone(), key.name.clone());
        match object {
            Object::Namespace(o) => self.change_namespace(&name, Some(o.meta)),
            Object::Node(o) => self.change_node(&name, Some(&o)),
            Object::Pod(o) => self.set_pod(o),
            Object::Service(o) => self.change_service(&namespace, &name, Some(o)),
            Object::EndpointSlice(o) => self.change_slice(&namespace, &name, Some(o)),
            Object::GatewayClass(o) => self.change_class(&name, Some(o)),
            Object::Gateway(o) => self.change_gateway(&namespace, &name, Some(o)),
            Object::ServiceEntry(o) => self.change_service_entry(&namespace, &name, Some(o)),
            Object::WorkloadEntry(o) => self.set_entry(o),
            Object::WorkloadGroup(o) => self.change_group(&namespace, &name, Some(o)),
            Object::AuthorizationPolicy(o) => {
                self.change_policy(&Key { kind: Kind::AuthorizationPolicy, namespace, name }, Some(&o));
            }
            Object::PeerAuthentication(o) => {
                self.change_policy(&Key { kind: Kind::PeerAuthentication, namespace, name }, Some(&o));
            }
            // That they exist is for others: the CA, the configuration.
            Object::ServiceAccount(_) | Object::ConfigMap(_) => {}
            Object::Secret(o) => self.change_secret(&(namespace, name), Some(Ok(o))),
            Object::VirtualService(o)
            | Object::DestinationRule(o)
            | Object::HttpRoute(o)
            | Object::GrpcRoute(o)
            | Object::ReferenceGrant(o) => self.change_routing(&key, Some(o)),
        }
    }

    pub(super) fn unset(&mut self, key: &Key) {
        self.world.invalid.remove(key);
        self.remove(key);
        self.forget_status(key);
    }

    /// The object is there and says nothing. Of a namespace and a node the labels count, and those can be read: who
    /// asks for a waypoint by them must not lose it.
    pub(super) fn set_invalid(&mut self, invalid: Invalid) {
        let Some(key) = invalid.key.clone() else {
            tracing::warn!(problem = %invalid.problem, "an object without a name cannot be read");
            return;
        };
        match key.kind {
            Kind::AuthorizationPolicy | Kind::PeerAuthentication => self.set_invalid_policy(key, &invalid),
            Kind::Secret => {
                let name = (key.namespace.clone(), key.name.clone());
                self.change_secret(&name, Some(Err(invalid.problem)));
            }
            Kind::Namespace => self.set(Object::Namespace(Namespace { meta: *invalid.meta })),
            Kind::Node => self.set(Object::Node(Node { meta: *invalid.meta, addresses: Vec::new() })),
            _ => {
                self.remove(&key);
                self.tell_invalid(&key, &invalid.meta, &invalid.problem);
                self.world.invalid.insert(key, (*invalid.meta, invalid.problem));
            }
        }
    }

    /// What is there of a kind.
    pub(super) fn keys(&self, kind: Kind) -> BTreeSet<Key> {
        let world = &self.world;
        let mut keys: BTreeSet<Key> = match kind {
            Kind::Namespace => world.namespaces.keys().map(|name| Key::new(kind, "", name)).collect(),
            Kind::Node => world.nodes.keys().map(|name| Key::new(kind, "", name)).collect(),
            Kind::GatewayClass => world.classes.keys().map(|name| Key::new(kind, "", name)).collect(),
            Kind::Pod => labelled(kind, &world.pods),
            Kind::WorkloadEntry => labelled(kind, &world.entries),
            Kind::Service => table(kind, &world.services),
            Kind::EndpointSlice => table(kind, &world.slices),
            Kind::Gateway => table(kind, &world.gateways),
            Kind::ServiceEntry => table(kind, &world.service_entries),
            Kind::WorkloadGroup => table(kind, &world.groups),
            Kind::AuthorizationPolicy | Kind::PeerAuthentication => {
                self.keys_of_policies().cloned().collect()
            }
            Kind::ServiceAccount | Kind::ConfigMap => BTreeSet::new(),
            Kind::Secret => world.secrets.keys(),
            Kind::VirtualService
            | Kind::DestinationRule
            | Kind::HttpRoute
            | Kind::GrpcRoute
            | Kind::ReferenceGrant => world.routings.keys(kind),
        };
        keys.extend(world.invalid.keys().cloned());
        keys.retain(|key| key.kind == kind);
        keys
    }

    fn remove(&mut self, key: &Key) {
        let (namespace, name) = (&key.namespace, &key.name);
        match key.kind {
            Kind::Namespace => self.change_namespace(name, None),
            Kind::Node => self.change_node(name, None),
            Kind::Pod => self.remove_pod(namespace, name),
            Kind::Service => self.change_service(namespace, name, None),
            Kind::EndpointSlice => self.change_slice(namespace, name, None),
            Kind::GatewayClass => self.change_class(name, None),
            Kind::Gateway => self.change_gateway(namespace, name, None),
            Kind::ServiceEntry => self.change_service_entry(namespace, name, None),
            Kind::WorkloadEntry => self.remove_entry(namespace, name),
            Kind::WorkloadGroup => self.change_group(namespace, name, None),
            Kind::AuthorizationPolicy | Kind::PeerAuthentication => self.change_policy(key, None),
            Kind::ServiceAccount | Kind::ConfigMap => {}
            Kind::Secret => self.change_secret(&(namespace.clone(), name.clone()), None),
            Kind::VirtualService
            | Kind::DestinationRule
            | Kind::HttpRoute
            | Kind::GrpcRoute
            | Kind::ReferenceGrant => self.change_routing(key, None),
        }
    }
}

fn labelled<T: Item>(kind: Kind, objects: &Labelled<T>) -> BTreeSet<Key> {
    let key = |object: &T| Key {
        kind,
        namespace: object.meta().namespace.clone(),
        name: object.meta().name.clone(),
    };
    objects.iter().map(key).collect()
}

fn table<T>(kind: Kind, objects: &Table<T>) -> BTreeSet<Key> {
    let key = |(namespace, name, _): (&std::sync::Arc<str>, &std::sync::Arc<str>, &T)| Key {
        kind,
        namespace: namespace.clone(),
        name: name.clone(),
    };
    objects.iter().map(key).collect()
}
