//! All AuthorizationPolicies, and whom they select.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_resources::{Key, Kind, Labels};

use super::authorization::Converted;
use super::status::Told;
use super::{Affected, strict};

/// All AuthorizationPolicies, by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Authorizations {
    root: Arc<str>,
    by_namespace: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Record>>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) converted: Converted,
    pub(super) told: Told,
    /// What it is known by on the wire.
    key: Arc<str>,
}

impl Record {
    pub(super) fn new(key: &Key, converted: Converted, told: Told) -> Self {
        let key = strict::key(&key.namespace, &key.name);
        Self { converted, told, key }
    }

    /// The selector of a policy that workloads must name.
    fn selector(&self) -> Option<&Labels> {
        self.converted.sent.as_ref().and(self.converted.selector.as_ref())
    }
}

impl Authorizations {
    pub(super) fn new(root: &Arc<str>) -> Self {
        Self { root: root.clone(), by_namespace: BTreeMap::new() }
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Record> {
        let policies =
            self.by_namespace.get(&key.namespace).filter(|_| key.kind == Kind::AuthorizationPolicy);
        policies?.get(&key.name)
    }

    /// Puts a policy in its place. Answers with its key on the wire and whom the change concerns: who must name it now or
    /// had to.
    pub(super) fn replace(&mut self, key: &Key, now: Option<Record>) -> (Arc<str>, Affected) {
        let after = now.as_ref().and_then(Record::selector).cloned();
        let before = match now {
            Some(record) => {
                let policies = self.by_namespace.entry(key.namespace.clone()).or_default();
                policies.insert(key.name.clone(), record)
            }
            None => self.remove(key),
        };
        let before = before.as_ref().and_then(Record::selector);
        let affected = match before == after.as_ref() {
            true => Affected::Nothing,
            false if key.namespace == self.root => Affected::Everything,
            false => Affected::selected(&key.namespace, [before, after.as_ref()]),
        };
        (strict::key(&key.namespace, &key.name), affected)
    }

    /// The policies that a workload must name: of its namespace, and of the root namespace.
    pub(super) fn keys_for<'a>(
        &'a self,
        namespace: &'a str,
        labels: &'a Labels,
    ) -> impl Iterator<Item = &'a Arc<str>> {
        let root = Some(&*self.root).filter(|root| *root != namespace);
        let namespaces = std::iter::once(namespace).chain(root);
        let records =
            namespaces.filter_map(|namespace| self.by_namespace.get(namespace)).flat_map(BTreeMap::values);
        let selects =
            move |record: &&Record| record.selector().is_some_and(|wanted| labels.contains_all(wanted));
        records.filter(selects).map(|record| &record.key)
    }

    fn remove(&mut self, key: &Key) -> Option<Record> {
        let policies = self.by_namespace.get_mut(&key.namespace)?;
        let gone = policies.remove(&key.name);
        if policies.is_empty() {
            self.by_namespace.remove(&key.namespace);
        }
        gone
    }
}
