//! The nouns of the mesh and the decisions about them.
//!
//! Nothing here reads a clock, a file or a socket: a [`Directory`] is an immutable picture of the mesh, and
//! [`route`] and [`admit`] are functions of it. Discovery builds new pictures,
//! the tunnel asks questions.
//!
//! ```text
//!   discovery --upsert/remove--> Directory --route()-------> Route   (where does this connection go?)
//!                                   |
//!                                   +--> Workload --admit()--> Verdict  (may it come in?)
//!                                   +--> Policy ----'
//! ```
#![forbid(unsafe_code)]

mod admit;
mod authorize;
mod connections;
mod directory;
mod endpoint;
mod gateway;
mod identity;
mod kernel;
mod locality;
mod outliers;
mod peer_authentication;
pub mod policy;
mod refusal;
mod route;
mod service;
mod workload;

pub use admit::{Denial, Verdict, admit};
pub use authorize::{Connection, authorize, rehearse};
pub use connections::{Audience, ConnectionPolicy, Keepalive, OutlierPolicy};
pub use directory::Directory;
pub use gateway::{GatewayAddress, GatewayDestination};
pub use identity::{Identity, IdentityError};
pub use kernel::{OLDEST_LINUX, is_linux_too_old};
pub use locality::Locality;
pub use outliers::{Ejected, Members, Outliers};
pub use peer_authentication::{MtlsMode, PeerAuthentication};
pub use policy::{Policy, PolicyScope};
pub use refusal::Refusal;
pub use route::{LeftOut, Route, Terms, is_own_waypoint_of, is_waypoint_of, route};
pub use service::{
    AppProtocol, HealthPolicy, IpFamilies, LoadBalancing, LoadBalancingMode, PortMapping, Scope, Service,
    ServiceKey, Visibility,
};
pub use workload::{
    ApplicationTunnel, DEFAULT_CAPACITY, DEFAULT_CLUSTER, DEFAULT_SERVICE_ACCOUNT, DEFAULT_TRUST_DOMAIN,
    Health, NetworkMode, TunnelProtocol, Workload, WorkloadType,
};
