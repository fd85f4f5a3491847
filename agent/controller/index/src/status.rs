//! What an object is to be told.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;
use weir_resources::{Condition, GatewayStatus, Key};

/// The status that an object should have and has not. Conditions of other types are somebody else's.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusUpdate {
    /// Which object.
    pub key: Key,
    /// `metadata.generation` that this is about.
    pub generation: i64,
    /// Conditions to be there.
    pub conditions: Vec<Condition>,
    /// Types of conditions of ours that are there and must not be.
    pub remove: Vec<String>,
    /// Of a service entry: the addresses allocated, with their host; `None` leaves them as they are.
    pub addresses: Option<Vec<(Arc<str>, IpAddr)>>,
    /// Of a route: for each parent that is ours, as the route writes it, its conditions. `None` leaves them as they are.
    pub parents: Option<Vec<(Value, Vec<Condition>)>>,
    /// Of a Gateway or a class: what else there is to say.
    pub gateway: Option<GatewayStatus>,
}
