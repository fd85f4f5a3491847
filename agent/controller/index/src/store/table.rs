//! Objects of one kind by namespace and name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Objects by namespace and name.
#[derive(Debug)]
pub(crate) struct Table<T> {
    namespaces: HashMap<Arc<str>, BTreeMap<Arc<str>, T>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { namespaces: HashMap::new() }
    }
}

impl<T> Table<T> {
    /// The object of this name.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<&T> {
        self.namespaces.get(namespace)?.get(name)
    }

    /// Sets or (`None`) removes an object, and answers with the one that was there.
    pub(crate) fn set(&mut self, namespace: &Arc<str>, name: &Arc<str>, new: Option<T>) -> Option<T> {
        match new {
            Some(new) => self.namespaces.entry(namespace.clone()).or_default().insert(name.clone(), new),
            None => {
                let objects = self.namespaces.get_mut(namespace)?;
                let old = objects.remove(name);
                if objects.is_empty() {
                    self.namespaces.remove(namespace);
                }
                old
            }
        }
    }

    /// The objects of a namespace, in the order of their names.
    pub(crate) fn of(&self, namespace: &str) -> impl Iterator<Item = (&Arc<str>, &T)> {
        self.namespaces.get(namespace).into_iter().flatten()
    }

    /// All: namespace, name and object.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, &T)> {
        self.namespaces.iter().flat_map(|(namespace, objects)| {
            objects.iter().map(move |(name, object)| (namespace, name, object))
        })
    }
}
