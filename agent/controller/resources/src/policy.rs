//! AuthorizationPolicy and PeerAuthentication of `security.istio.io`.

use serde_json::Value;

use crate::Meta;

/// A policy. Its spec is read rule by rule by the index: one bad rule must neither hide the others nor open anything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    /// Metadata.
    pub meta: Meta,
    /// `spec` as it came; `Null` if there is none.
    pub spec: Value,
}
