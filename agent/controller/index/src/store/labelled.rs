//! Objects that selectors choose from: pods and workload entries.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use weir_resources::{Labels, Meta};

/// What a selector can choose.
pub(crate) trait Item {
    /// Its metadata.
    fn meta(&self) -> &Meta;
    /// The labels that selectors look at.
    fn labels(&self) -> &Labels;
}

/// Objects by namespace and name, and by namespace and label.
///
/// An object has a number while it is here, and the indexes hold numbers: a label of 100,000 pods costs a few
/// bytes for each. Numbers are used again.
#[derive(Debug)]
pub(crate) struct Labelled<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
    namespaces: HashMap<Arc<str>, Namespace>,
}

#[derive(Debug, Default)]
struct Namespace {
    names: HashMap<Arc<str>, u32>,
    /// Label, value, who has it.
    labels: HashMap<Arc<str>, HashMap<Arc<str>, BTreeSet<u32>>>,
}

impl<T> Default for Labelled<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), namespaces: HashMap::new() }
    }
}

impl<T: Item> Labelled<T> {
    /// The object with this number.
    pub(crate) fn at(&self, id: u32) -> Option<&T> {
        self.slots.get(id as usize)?.as_ref()
    }

    /// The number of an object.
    pub(crate) fn id(&self, namespace: &str, name: &str) -> Option<u32> {
        self.namespaces.get(namespace)?.names.get(name).copied()
    }

    /// Adds or replaces an object; answers with its number and with the object that was there.
    pub(crate) fn insert(&mut self, new: T) -> (u32, Option<T>) {
        let (namespace, name) = (new.meta().namespace.clone(), new.meta().name.clone());
        let space = self.namespaces.entry(namespace).or_default();
        let known = space.names.get(&name).copied();
        let id = known.or_else(|| self.free.pop()).unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        space.names.insert(name, id);
        let old = self.slots[id as usize].take();
        if old.as_ref().is_none_or(|old| old.labels() != new.labels()) {
            if let Some(old) = &old {
                space.forget(id, old.labels());
            }
            space.learn(id, new.labels());
        }
        self.slots[id as usize] = Some(new);
        (id, old)
    }

    /// Removes an object.
    pub(crate) fn remove(&mut self, namespace: &str, name: &str) -> Option<(u32, T)> {
        let space = self.namespaces.get_mut(namespace)?;
        let id = space.names.remove(name)?;
        let old = self.slots[id as usize].take()?;
        space.forget(id, old.labels());
        if space.names.is_empty() {
            self.namespaces.remove(namespace);
        }
        self.free.push(id);
        Some((id, old))
    }

    /// Those of a namespace that a selector selects; an empty one selects all.
    pub(crate) fn matching(&self, namespace: &str, selector: &Labels) -> Vec<u32> {
        let Some(space) = self.namespaces.get(namespace) else { return Vec::new() };
        if selector.is_empty() {
            return space.names.values().copied().collect();
        }
        let lists = selector.iter().map(|(label, value)| space.labels.get(label)?.get(value));
        let Some(lists) = lists.collect::<Option<Vec<_>>>() else { return Vec::new() };
        let shortest = lists.into_iter().min_by_key(|list| list.len());
        let all = |id: &u32| self.at(*id).is_some_and(|item| item.labels().contains_all(selector));
        shortest.into_iter().flatten().copied().filter(all).collect()
    }

    /// All numbers in use.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> {
        (0_u32..).zip(&self.slots).filter_map(|(id, slot)| slot.is_some().then_some(id))
    }

    /// All objects.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }
}

impl Namespace {
    fn learn(&mut self, id: u32, labels: &Labels) {
        for (label, value) in labels.iter() {
            if !self.labels.contains_key(label) {
                self.labels.insert(label.into(), HashMap::new());
            }
            let Some(values) = self.labels.get_mut(label) else { continue };
            match values.get_mut(value) {
                Some(ids) => drop(ids.insert(id)),
                None => drop(values.insert(value.into(), BTreeSet::from([id]))),
            }
        }
    }

    fn forget(&mut self, id: u32, labels: &Labels) {
        for (label, value) in labels.iter() {
            let Some(values) = self.labels.get_mut(label) else { continue };
            let Some(ids) = values.get_mut(value) else { continue };
            ids.remove(&id);
            if ids.is_empty() {
                values.remove(value);
            }
            if values.is_empty() {
                self.labels.remove(label);
            }
        }
    }
}
