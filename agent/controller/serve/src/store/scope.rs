//! Whom policies are for, and since when.
//!
//! A policy for all of a namespace that becomes one for single workloads must not go to a client before those workloads name
//! it: in between it would be for nobody.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use imbl::OrdMap;
use prost::Message;
use weir_index::{Resource, ResourceKind};
use weir_proto::security::{Authorization, Scope};

/// Policies that became narrower, with the positions between which they were broad.
pub(super) type Narrowed = OrdMap<Arc<str>, Range<u64>>;

/// Policies that are broad now, and since which position.
#[derive(Default)]
pub(super) struct Scopes(HashMap<Arc<str>, u64>);

impl Scopes {
    /// What is (or is no more) under this name changed at this position.
    pub(super) fn note(
        &mut self,
        narrowed: &mut Narrowed,
        name: &Arc<str>,
        resource: Option<&Resource>,
        position: u64,
    ) {
        match resource {
            Some(resource) if is_broad(resource) => {
                self.0.entry(name.clone()).or_insert(position);
                narrowed.remove(name);
            }
            Some(_) => {
                if let Some(since) = self.0.remove(name) {
                    narrowed.insert(name.clone(), since..position);
                }
            }
            None => {
                self.0.remove(name);
                narrowed.remove(name);
            }
        }
    }
}

/// Whether workloads need not name the policy.
fn is_broad(resource: &Resource) -> bool {
    resource.kind == ResourceKind::Authorization
        && Authorization::decode(&*resource.body)
            .is_ok_and(|policy| policy.scope() != Scope::WorkloadSelector)
}
