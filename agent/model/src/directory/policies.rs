//! The policies: by key, and by what they are for.

use std::sync::Arc;

use imbl::HashMap;

use super::Directory;
use crate::{Policy, PolicyScope, Workload};

/// Policies in the order of their keys, so that of two reasons the same is named every time. They are few and read for
/// every connection: a slice, which is copied only if an older directory still has it.
type Group = Arc<Vec<Arc<Policy>>>;

/// All policies of the mesh.
#[derive(Clone, Default)]
pub(super) struct Policies {
    by_key: HashMap<Arc<str>, Arc<Policy>>,
    global: Group,
    by_namespace: HashMap<Arc<str>, Group>,
    revision: u64,
}

impl Directory {
    /// Puts a policy in, in place of the one with the same key. Says whether anything changed.
    pub fn upsert_policy(&mut self, policy: Policy) -> bool {
        if self.policies.by_key.get(&policy.key).is_some_and(|old| **old == policy) {
            return false;
        }
        self.remove_policy(&policy.key.clone());
        let policies = &mut self.policies;
        let policy = Arc::new(policy);
        match policy.scope {
            PolicyScope::Global => join(&mut policies.global, &policy),
            PolicyScope::Namespace => {
                join(policies.by_namespace.entry(policy.namespace.clone()).or_default(), &policy);
            }
            PolicyScope::WorkloadSelector => {}
        }
        policies.by_key.insert(policy.key.clone(), policy);
        policies.revision += 1;
        true
    }

    /// Takes a policy out; workloads that list it let nobody in until it is back. Says whether it was there.
    pub fn remove_policy(&mut self, key: &str) -> bool {
        let policies = &mut self.policies;
        let Some(policy) = policies.by_key.remove(key) else {
            return false;
        };
        match policy.scope {
            PolicyScope::Global => leave(&mut policies.global, key),
            PolicyScope::Namespace => {
                if let Some(group) = policies.by_namespace.get_mut(&policy.namespace) {
                    leave(group, key);
                    if group.is_empty() {
                        policies.by_namespace.remove(&policy.namespace);
                    }
                }
            }
            PolicyScope::WorkloadSelector => {}
        }
        policies.revision += 1;
        true
    }

    /// The policy with this key.
    pub fn policy(&self, key: &str) -> Option<&Arc<Policy>> {
        self.policies.by_key.get(key)
    }

    /// All policies, in no order.
    pub fn policies(&self) -> impl ExactSizeIterator<Item = &Arc<Policy>> {
        self.policies.by_key.values()
    }

    /// The policies that are for a workload: of the mesh, of its namespace, and those that it lists and that are
    /// known. [`Directory::missing_policy`] tells of the others.
    pub fn policies_for<'a>(
        &'a self,
        workload: &'a Workload,
    ) -> impl Iterator<Item = &'a Arc<Policy>> + Clone {
        let policies = &self.policies;
        let namespace = policies.by_namespace.get(&workload.namespace).map_or(&[][..], |group| group);
        let listed = workload.authorization_policies.iter().filter_map(|key| policies.by_key.get(key));
        policies.global.iter().chain(namespace).chain(listed)
    }

    /// The first policy that a workload lists and that is not known: nobody can say what it forbids.
    pub fn missing_policy<'a>(&self, workload: &'a Workload) -> Option<&'a Arc<str>> {
        workload.authorization_policies.iter().find(|key| !self.policies.by_key.contains_key(*key))
    }

    /// A number that changes whenever a policy does: who has asked the policies of one directory need not ask those
    /// of a later one with the same number.
    pub fn policy_revision(&self) -> u64 {
        self.policies.revision
    }
}

fn join(group: &mut Group, policy: &Arc<Policy>) {
    let place = group.partition_point(|other| other.key < policy.key);
    Arc::make_mut(group).insert(place, policy.clone());
}

fn leave(group: &mut Group, key: &str) {
    Arc::make_mut(group).retain(|policy| &*policy.key != key);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::policy::Action;

    fn change() -> impl Strategy<Value = (Policy, bool)> {
        let scopes = [PolicyScope::Global, PolicyScope::Namespace, PolicyScope::WorkloadSelector];
        let actions = [Action::Allow, Action::Deny];
        let kind = (0..3_usize, 0..2_usize, any::<bool>());
        ("[ab]", "[cde]", kind).prop_map(move |(namespace, name, (scope, action, stays))| {
            (Policy::new(&namespace, &name, scopes[scope], actions[action]), stays)
        })
    }

    proptest! {
        /// After any history the policies of a workload are those that a scan of all would find.
        #[test]
        fn the_index_is_a_scan(changes in proptest::collection::vec(change(), 0..40), listed in proptest::collection::vec("[ab]/[cde]", 0..3)) {
            let (mut directory, mut all) = (Directory::new(), BTreeMap::new());
            for (policy, stays) in changes {
                let (key, before) = (policy.key.clone(), directory.policy_revision());
                let changed = if stays {
                    directory.upsert_policy(policy.clone()) == (all.insert(key, policy.clone()) != Some(policy))
                } else {
                    directory.remove_policy(&key) == all.remove(&key).is_some()
                };
                prop_assert!(changed);
                prop_assert!(directory.policy_revision() >= before);
            }
            let keys: Vec<Arc<str>> = listed.iter().map(|key| key.as_str().into()).collect();
            let dst = Workload { authorization_policies: keys.clone(), ..Workload::pod("a", "web") };
            let mut found: Vec<Arc<str>> = directory.policies_for(&dst).map(|p| p.key.clone()).collect();
            let scoped = |scope| all.values().filter(move |p: &&Policy| p.scope == scope);
            let own = scoped(PolicyScope::Namespace).filter(|p| &*p.namespace == "a");
            let unlisted = scoped(PolicyScope::Global).chain(own).map(|p| p.key.clone());
            let known = keys.iter().filter(|key| all.contains_key(*key)).cloned();
            let mut expected: Vec<Arc<str>> = unlisted.chain(known).collect();
            found.sort();
            expected.sort();
            prop_assert_eq!(found, expected);
            let missing = keys.iter().find(|key| !all.contains_key(*key));
            prop_assert_eq!(directory.missing_policy(&dst), missing);
        }
    }
}
