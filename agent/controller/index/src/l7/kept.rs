//! Resources about requests, and by which hosts they are found.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use weir_resources::Routing;

use super::unit::Gateway as Name;

/// Objects of one kind, as they came and as they were read.
#[derive(Debug)]
pub(super) struct Kept<T> {
    objects: BTreeMap<Name, (Routing, T)>,
    by_host: HashMap<Arc<str>, BTreeSet<Name>>,
    /// Those with a host that is a wildcard.
    wide: BTreeSet<Name>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), by_host: HashMap::new(), wide: BTreeSet::new() }
    }
}

impl<T> Kept<T> {
    pub(super) fn get(&self, name: &Name) -> Option<(&Routing, &T)> {
        self.objects.get(name).map(|(object, read)| (object, read))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        self.objects.keys()
    }

    /// Those that name one of these hosts, or may by a wildcard.
    pub(super) fn of_hosts<'a>(&'a self, hosts: impl Iterator<Item = &'a str>) -> BTreeSet<&'a Name> {
        let named = hosts.filter_map(|host| self.by_host.get(host)).flatten();
        named.chain(&self.wide).collect()
    }

    /// Sets or removes one; `hosts` are its own, in full. Answers with what was there.
    pub(super) fn set(
        &mut self,
        name: &Name,
        new: Option<(Routing, T)>,
        hosts: impl Fn(&T) -> Vec<Arc<str>>,
    ) -> Option<(Routing, T)> {
        let after = new.as_ref().map(|(_, read)| hosts(read)).unwrap_or_default();
        let before = match new {
            Some(new) => self.objects.insert(name.clone(), new),
            None => self.objects.remove(name),
        };
        for host in before.iter().flat_map(|(_, read)| hosts(read)) {
            self.wide.remove(name);
            if let Some(names) = self.by_host.get_mut(&host) {
                names.remove(name);
                if names.is_empty() {
                    self.by_host.remove(&host);
                }
            }
        }
        for host in after {
            match is_wide(&host) {
                true => drop(self.wide.insert(name.clone())),
                false => drop(self.by_host.entry(host).or_default().insert(name.clone())),
            }
        }
        before
    }
}

/// Whether a host stands for many.
pub(super) fn is_wide(host: &str) -> bool {
    host.starts_with('*')
}
