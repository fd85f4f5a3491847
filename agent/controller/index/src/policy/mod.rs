//! AuthorizationPolicy and PeerAuthentication, and what becomes of them.
#![allow(dead_code, reason = "the index begins to call it")]

use std::sync::Arc;

use weir_proto::security::Authorization;
use weir_resources::{Invalid, Key, Labels, Policy};

use crate::{Config, StatusUpdate};

mod affected;

pub(crate) use affected::Affected;

/// All policies.
pub(crate) struct Policies {
    config: Config,
}

impl Policies {
    /// No policies yet.
    pub(crate) fn new(config: &Config) -> Self {
        Self { config: config.clone() }
    }

    /// A policy is there, or (`None`) is gone.
    pub(crate) fn apply(&mut self, _policy: Option<&Policy>, _key: &Key) -> Affected {
        Affected::Nothing
    }

    /// A policy is there and cannot be read.
    pub(crate) fn invalid(&mut self, _invalid: &Invalid) -> Affected {
        Affected::Nothing
    }

    /// The policies that a workload must name, in order.
    pub(crate) fn keys_for(&self, _namespace: &str, _labels: &Labels) -> Vec<Arc<str>> {
        Vec::new()
    }

    /// What changed of the published policies since the last call, by `namespace/name`.
    pub(crate) fn take_changed(&mut self) -> Vec<(Arc<str>, Option<Authorization>)> {
        Vec::new()
    }

    /// The status of a policy, if the object has another.
    pub(crate) fn status_of(&self, _key: &Key) -> Option<StatusUpdate> {
        None
    }

    /// The statuses that changed since the last call, if the objects have others.
    pub(crate) fn take_status(&mut self) -> Vec<StatusUpdate> {
        Vec::new()
    }
}
