//! By what resources are found, beside their names.

use std::sync::Arc;

use crate::{Resource, Snapshot};

impl Snapshot {
    pub(crate) fn link(&mut self, resource: &Resource) {
        let name = &resource.name;
        for alias in &resource.aliases {
            let names =
                self.by_alias.get(alias).map_or_else(|| Uids::One(name.clone()), |uids| uids.with(name));
            self.by_alias.insert(alias.clone(), names);
        }
        for service in &resource.services {
            self.members.entry(service.clone()).or_default().insert(name.clone());
        }
        if !resource.node.is_empty() {
            self.by_node.entry(resource.node.clone()).or_default().insert(name.clone());
        }
    }

    pub(crate) fn unlink(&mut self, resource: &Resource) {
        let name = &resource.name;
        for alias in &resource.aliases {
            match self.by_alias.get(alias).and_then(|uids| uids.without(name)) {
                Some(uids) => drop(self.by_alias.insert(alias.clone(), uids)),
                None => drop(self.by_alias.remove(alias)),
            }
        }
        for service in &resource.services {
            forget(&mut self.members, service, name);
        }
        forget(&mut self.by_node, &resource.node, name);
    }
}

/// A few names. Nearly every alias has one, and a set takes 500 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Uids {
    /// One.
    One(Arc<str>),
    /// Several, in order.
    Several(Arc<[Arc<str>]>),
}

impl Uids {
    pub(crate) fn with(&self, name: &Arc<str>) -> Self {
        let mut names = self.to_vec();
        if let Err(at) = names.binary_search(name) {
            names.insert(at, name.clone());
        }
        Self::of(names).unwrap_or_else(|| self.clone())
    }

    pub(crate) fn without(&self, name: &Arc<str>) -> Option<Self> {
        let mut names = self.to_vec();
        names.retain(|known| known != name);
        Self::of(names)
    }

    pub(crate) fn to_vec(&self) -> Vec<Arc<str>> {
        match self {
            Self::One(name) => vec![name.clone()],
            Self::Several(names) => names.to_vec(),
        }
    }

    fn of(mut names: Vec<Arc<str>>) -> Option<Self> {
        match names.len() {
            0 | 1 => names.pop().map(Self::One),
            _ => Some(Self::Several(names.into())),
        }
    }
}

fn forget(sets: &mut imbl::HashMap<Arc<str>, imbl::OrdSet<Arc<str>>>, key: &Arc<str>, name: &Arc<str>) {
    let Some(set) = sets.get_mut(key) else { return };
    set.remove(name);
    if set.is_empty() {
        sets.remove(key);
    }
}
