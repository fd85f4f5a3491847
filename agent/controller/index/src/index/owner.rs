//! What is computed as one.

use std::sync::Arc;

/// An object that resources are made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    /// A Kubernetes service: namespace and name.
    Service(Arc<str>, Arc<str>),
    /// A service entry: namespace and name.
    ServiceEntry(Arc<str>, Arc<str>),
    /// An endpoint slice: namespace and name.
    Slice(Arc<str>, Arc<str>),
    /// A workload entry, by its number.
    Entry(u32),
    /// A pod, by its number.
    Pod(u32),
}
