//! What a Gateway or a GatewayClass is to be told beside its conditions.

use std::sync::Arc;

use serde_json::Value;

use crate::Condition;

/// Fields of a status that are wholly ours; `None` leaves one as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GatewayStatus {
    /// Of a Gateway: `addresses`.
    pub addresses: Option<Vec<Value>>,
    /// Of a Gateway: `listeners`, each without its conditions, and those.
    pub listeners: Option<Vec<(Value, Vec<Condition>)>>,
    /// Of a GatewayClass: names of `supportedFeatures`.
    pub features: Option<Vec<Arc<str>>>,
}

impl GatewayStatus {
    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_none() && self.listeners.is_none() && self.features.is_none()
    }
}
