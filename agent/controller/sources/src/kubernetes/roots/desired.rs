//! Which namespaces lack the roots.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::ResourceExt;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;

/// The key of the text in a ConfigMap.
pub(super) const KEY: &str = "root-cert.pem";

/// What is there, and what should be.
#[derive(Debug, Default)]
pub(super) struct Desired {
    text: String,
    namespaces: BTreeSet<String>,
    /// Texts by namespace.
    maps: BTreeMap<String, String>,
    listed: [bool; 2],
    work: BTreeSet<String>,
}

impl Desired {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn roots(&mut self, text: &str) {
        text.clone_into(&mut self.text);
        self.look_at_all();
    }

    pub(super) fn namespace(&mut self, event: Event<PartialObjectMeta<Namespace>>) {
        match event {
            Event::Init => {
                self.namespaces.clear();
                self.listed[0] = false;
            }
            Event::InitApply(namespace) | Event::Apply(namespace) => {
                let name = namespace.name_any();
                // In one that is being deleted nothing can be made.
                if namespace.metadata.deletion_timestamp.is_some() {
                    self.namespaces.remove(&name);
                } else {
                    self.namespaces.insert(name.clone());
                }
                self.look_at(&name);
            }
            Event::Delete(namespace) => {
                self.namespaces.remove(&namespace.name_any());
                self.maps.remove(&namespace.name_any());
                self.look_at(&namespace.name_any());
            }
            Event::InitDone => {
                self.listed[0] = true;
                self.look_at_all();
            }
        }
    }

    pub(super) fn map(&mut self, event: Event<ConfigMap>) {
        match event {
            Event::Init => {
                self.maps.clear();
                self.listed[1] = false;
            }
            Event::InitApply(map) | Event::Apply(map) => {
                let namespace = map.namespace().unwrap_or_default();
                let text = map.data.and_then(|mut data| data.remove(KEY)).unwrap_or_default();
                self.maps.insert(namespace.clone(), text);
                self.look_at(&namespace);
            }
            Event::Delete(map) => {
                let namespace = map.namespace().unwrap_or_default();
                self.maps.remove(&namespace);
                self.look_at(&namespace);
            }
            Event::InitDone => {
                self.listed[1] = true;
                self.look_at_all();
            }
        }
    }

    pub(super) fn has_work(&self) -> bool {
        self.ready() && !self.work.is_empty()
    }

    pub(super) fn take_work(&mut self) -> Option<String> {
        if self.ready() { self.work.pop_first() } else { None }
    }

    fn ready(&self) -> bool {
        self.listed == [true, true]
    }

    fn look_at_all(&mut self) {
        self.work.clear();
        for namespace in self.namespaces.clone() {
            self.look_at(&namespace);
        }
    }

    fn look_at(&mut self, namespace: &str) {
        let lacks = !self.text.is_empty()
            && self.namespaces.contains(namespace)
            && self.maps.get(namespace) != Some(&self.text);
        if lacks {
            self.work.insert(namespace.to_owned());
        } else {
            self.work.remove(namespace);
        }
    }
}
