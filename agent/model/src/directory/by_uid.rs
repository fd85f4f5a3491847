//! Workloads in the order of their uids. The uid is in the workload: beside it, it would double the cost of each group
//! that a workload is in.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

use crate::Workload;

/// A workload that is compared by its uid.
#[derive(Clone)]
pub(super) struct ByUid(pub(super) Arc<Workload>);

impl Borrow<str> for ByUid {
    fn borrow(&self) -> &str {
        &self.0.uid
    }
}

impl PartialEq for ByUid {
    fn eq(&self, other: &Self) -> bool {
        self.0.uid == other.0.uid
    }
}

impl Eq for ByUid {}

impl Ord for ByUid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.uid.cmp(&other.0.uid)
    }
}

impl PartialOrd for ByUid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
