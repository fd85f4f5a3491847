//! Policies come, change and go: the workloads that must name others are touched.

use weir_resources::{Invalid, Key, Policy};

use super::Index;
use crate::policy::Affected;

impl Index {
    pub(super) fn change_policy(&mut self, key: &Key, new: Option<&Policy>) {
        match new {
            Some(_) => drop(self.policies.insert(key.clone())),
            None => drop(self.policies.remove(key)),
        }
        let affected = self.world.policies.apply(new, key);
        self.touch_affected(affected);
    }

    pub(super) fn set_invalid_policy(&mut self, key: Key, invalid: &Invalid) {
        self.policies.insert(key);
        let affected = self.world.policies.invalid(invalid);
        self.touch_affected(affected);
    }

    pub(super) fn keys_of_policies(&self) -> impl Iterator<Item = &Key> {
        self.policies.iter()
    }

    fn touch_affected(&mut self, affected: Affected) {
        match affected {
            Affected::Nothing => {}
            Affected::Namespace(namespace, before, after) => {
                self.touch_matching(&namespace, &before);
                if before != after {
                    self.touch_matching(&namespace, &after);
                }
                self.touch_service_entries(&namespace);
            }
            Affected::Everything => self.touch_all_workloads(),
        }
    }
}
