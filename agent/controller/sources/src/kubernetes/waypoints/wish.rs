//! What is wanted, and what became of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use weir_resources::{Gateway, GatewayClass, Key};

/// Namespace and name of a Gateway.
pub type WaypointName = (Arc<str>, Arc<str>);

/// All gateways that are to be run.
pub type Wishes = Arc<BTreeMap<WaypointName, Arc<WaypointWish>>>;

/// A gateway that is to be run. Without what its status says, which changes more often.
#[derive(Debug, Clone, PartialEq)]
pub struct WaypointWish {
    /// The gateway.
    pub gateway: Gateway,
    /// Its class, if there is an object.
    pub class: Option<GatewayClass>,
    /// The network of the cluster; empty if there is only one.
    pub network: Arc<str>,
}

/// What is to be known of the Gateway API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaypointReport {
    /// What became of a gateway.
    Gateway {
        /// Which.
        key: Key,
        /// `metadata.generation` of what was looked at.
        generation: i64,
        /// What became of it.
        outcome: WaypointOutcome,
    },
    /// The version of the Gateway API's definitions, as they say; `None`: they do not.
    Api(Option<String>),
}

/// What became of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaypointOutcome {
    /// Its objects are there, as they should be. Whether pods run is for others to see.
    Deployed,
    /// It, or what is laid over it, asks for what cannot be made. What ran before goes on.
    Invalid(String),
    /// Something of its names is there and is not ours.
    Foreign(String),
    /// The API did not do it. It is tried again.
    Failed(String),
}

impl fmt::Display for WaypointOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deployed => f.write_str("deployed"),
            Self::Invalid(why) | Self::Foreign(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}
