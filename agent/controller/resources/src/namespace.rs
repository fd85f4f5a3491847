//! Kinds of which little more than the metadata is read.

use std::collections::BTreeMap;

use crate::Meta;

/// `v1` Namespace: its labels say who is in the mesh.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Metadata.
    pub meta: Meta,
}

/// `v1` ServiceAccount: that it exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Metadata.
    pub meta: Meta,
}

/// `v1` ConfigMap: `data` of those that the mesh reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigMap {
    /// Metadata.
    pub meta: Meta,
    /// Texts by name.
    pub data: BTreeMap<String, String>,
}
