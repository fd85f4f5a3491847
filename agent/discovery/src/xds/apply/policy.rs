//! Policies. One that cannot be understood must not leave a door open.

use weir_model::{Policy, PolicyScope};
use weir_proto::security as proto;

use super::{Name, Picture, same_name};
use crate::Changes;
use crate::convert;

impl Picture {
    pub(super) fn put_policy(
        &mut self,
        name: &str,
        message: Result<proto::Authorization, String>,
        changes: &mut Changes,
    ) -> Result<Name, String> {
        let message = match message {
            Ok(message) => message,
            Err(why) => {
                self.refuse_policy(name, None, changes);
                return Err(why);
            }
        };
        let converted = convert::authorization(message.clone()).map_err(|rejection| rejection.to_string());
        let converted = converted.and_then(|policy| same_name(name, &policy.key).map(|()| policy));
        match converted {
            Ok(policy) => {
                let key = policy.key.clone();
                changes.policies += usize::from(self.directory.upsert_policy(policy));
                Ok(key)
            }
            Err(why) => {
                self.refuse_policy(name, Some(convert::refused_authorization(&message)), changes);
                Err(why)
            }
        }
    }

    /// What is in force instead of a policy that was refused. Workloads that list it have an unknown policy from now on,
    /// which lets nobody in. One of a namespace or of the mesh stays as it was, and is replaced by the refusal of
    /// everything if it was not there; `stand_in` is that refusal, if the message could be read so far.
    fn refuse_policy(&mut self, name: &str, stand_in: Option<Policy>, changes: &mut Changes) {
        let before = self.directory.policy(name).map(|policy| (policy.scope, policy.namespace.clone()));
        let stand_in = stand_in.unwrap_or_else(|| {
            let (namespace, rest) = name.split_once('/').unwrap_or(("", name));
            let scope = before.as_ref().map_or(PolicyScope::Namespace, |(scope, _)| *scope);
            Policy::refuse_all(namespace, rest, scope)
        });
        let key = if name.is_empty() { stand_in.key.clone() } else { name.into() };
        if stand_in.scope == PolicyScope::WorkloadSelector {
            changes.policies_removed += usize::from(self.directory.remove_policy(&key));
        } else if before != Some((stand_in.scope, stand_in.namespace.clone())) {
            changes.policies += usize::from(self.directory.upsert_policy(Policy { key, ..stand_in }));
        }
    }
}
