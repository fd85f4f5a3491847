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
    /// How often somebody else wrote over ours, by namespace.
    contested: BTreeMap<String, u32>,
    /// Namespaces that did not take ours; they are tried again later, and keep nobody else from his.
    aside: BTreeSet<String>,
    /// Those of them of which that was said.
    complained: BTreeSet<String>,
}

impl Desired {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn roots(&mut self, text: &str) {
        text.clone_into(&mut self.text);
        self.contested.clear();
        self.aside.clear();
        self.look_at_all();
    }

    /// A namespace did not take ours. True: for the first time.
    pub(super) fn put_aside(&mut self, namespace: &str) -> bool {
        self.aside.insert(namespace.to_owned());
        self.complained.insert(namespace.to_owned())
    }

    pub(super) fn has_aside(&self) -> bool {
        !self.aside.is_empty()
    }

    /// Those that did not are to be tried again.
    pub(super) fn take_back(&mut self) {
        for namespace in std::mem::take(&mut self.aside) {
            self.look_at(&namespace);
        }
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
                let before = self.maps.insert(namespace.clone(), text);
                if before.as_ref() == Some(&self.text) && self.maps.get(&namespace) != before.as_ref() {
                    self.contest(&namespace);
                }
                self.look_at(&namespace);
            }
            Event::Delete(map) => {
                let namespace = map.namespace().unwrap_or_default();
                self.maps.remove(&namespace);
                self.contested.remove(&namespace);
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

    /// Two control planes that write over each other would do so as fast as the API can.
    fn contest(&mut self, namespace: &str) {
        let times = self.contested.entry(namespace.to_owned()).or_default();
        *times += 1;
        if *times == PATIENCE {
            tracing::error!(
                namespace,
                "another control plane keeps writing its own roots over ours; they are left to it until ours change"
            );
        }
    }

    fn look_at(&mut self, namespace: &str) {
        let lacks = !self.text.is_empty()
            && self.namespaces.contains(namespace)
            && self.maps.get(namespace) != Some(&self.text)
            && !self.aside.contains(namespace)
            && self.contested.get(namespace).is_none_or(|times| *times < PATIENCE);
        if lacks {
            self.work.insert(namespace.to_owned());
        } else {
            self.work.remove(namespace);
        }
        if self.maps.get(namespace) == Some(&self.text) {
            self.complained.remove(namespace);
        }
    }
}

/// So often is written again what somebody else wrote over.
const PATIENCE: u32 = 5;

#[cfg(test)]
mod tests {
    use kube::api::ObjectMeta;

    use super::*;

    fn map(text: &str) -> ConfigMap {
        let metadata =
            ObjectMeta { name: Some("x".into()), namespace: Some("n".into()), ..ObjectMeta::default() };
        let data = [(KEY.to_owned(), text.to_owned())].into();
        ConfigMap { metadata, data: Some(data), ..ConfigMap::default() }
    }

    fn namespace() -> PartialObjectMeta<Namespace> {
        let metadata = ObjectMeta { name: Some("n".into()), ..ObjectMeta::default() };
        PartialObjectMeta { metadata, ..PartialObjectMeta::default() }
    }

    #[test]
    fn who_keeps_writing_over_it_wins_until_the_roots_change() {
        let mut desired = Desired::default();
        desired.roots("OURS");
        desired.namespace(Event::InitApply(namespace()));
        desired.namespace(Event::InitDone);
        assert!(!desired.has_work(), "what is there is not known yet");
        desired.map(Event::InitDone);
        for _ in 0..PATIENCE {
            assert_eq!(desired.take_work().as_deref(), Some("n"));
            desired.map(Event::Apply(map("OURS")));
            assert!(!desired.has_work());
            desired.map(Event::Apply(map("THEIRS")));
        }
        assert!(!desired.has_work());
        desired.roots("NEW");
        assert_eq!(desired.take_work().as_deref(), Some("n"));
        desired.map(Event::Delete(map("THEIRS")));
        assert!(desired.has_work());
    }
}
