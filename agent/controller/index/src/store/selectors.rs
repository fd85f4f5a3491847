//! Who selects a workload.

use std::collections::HashMap;
use std::sync::Arc;

use weir_resources::Labels;

use crate::index::Owner;

/// A service, or a service entry, with a selector.
#[derive(Debug, Clone)]
pub(crate) struct Selecting {
    /// What it selects; never empty.
    pub(crate) selector: Labels,
    /// Who it is.
    pub(crate) owner: Owner,
    /// `namespace/hostname` of each of its hosts, in its order.
    pub(crate) names: Box<[Arc<str>]>,
}

/// Selectors by namespace and by one of their labels: a workload has all labels of its selectors, so it finds them by
/// the labels that it has.
#[derive(Debug, Default)]
pub(crate) struct Selectors {
    namespaces: HashMap<Arc<str>, ByLabel>,
}

/// Label, value, who wants it.
type ByLabel = HashMap<Arc<str>, HashMap<Arc<str>, Vec<Selecting>>>;

impl Selectors {
    /// Adds a selector. One that selects nothing is not kept.
    pub(crate) fn insert(&mut self, namespace: &Arc<str>, selecting: Selecting) {
        let space = self.namespaces.entry(namespace.clone()).or_default();
        // The rarest label, so that a label that all services share does not make one long list.
        let length =
            |label: &str, value: &str| space.get(label).and_then(|v| v.get(value)).map_or(0, Vec::len);
        let rarest = selecting.selector.iter().min_by_key(|(label, value)| length(label, value));
        let Some((label, value)) = rarest else { return };
        let values = space.entry(label.into()).or_default();
        values.entry(value.into()).or_default().push(selecting.clone());
    }

    /// Removes the selector of an owner.
    pub(crate) fn remove(&mut self, namespace: &str, selector: &Labels, owner: &Owner) {
        let Some(space) = self.namespaces.get_mut(namespace) else { return };
        for (label, value) in selector.iter() {
            let Some(values) = space.get_mut(label) else { continue };
            if let Some(list) = values.get_mut(value) {
                list.retain(|selecting| selecting.owner != *owner);
                if list.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                space.remove(label);
            }
        }
        if space.is_empty() {
            self.namespaces.remove(namespace);
        }
    }

    /// Those that select these labels.
    pub(crate) fn of<'a>(
        &'a self,
        namespace: &str,
        labels: &'a Labels,
    ) -> impl Iterator<Item = &'a Selecting> {
        let space = self.namespaces.get(namespace);
        let lists = labels.iter().filter_map(move |(label, value)| space?.get(label)?.get(value));
        lists.flatten().filter(|selecting| labels.contains_all(&selecting.selector))
    }
}
