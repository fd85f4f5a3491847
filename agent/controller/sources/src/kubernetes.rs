//! A Kubernetes cluster: where objects are read, and where the controller's own state is kept.
//!
//! [`Cluster::run`] is the source. The rest are the errands that only make sense with an API server: what objects are told
//! ([`StatusWriter`]), who of the replicas tells them ([`LeaderElection`]), where the CA's key is ([`SecretStore`]), how pods
//! learn its root ([`RootConfigMaps`]) and whether they are captured ([`PodWriter`]), what runs waypoints
//! ([`Waypoints`]), who a caller is ([`Reviewer`], and [`TokenKeys`] while nobody can be asked), and how the API server finds
//! the webhook ([`Webhook`]).
//!
//! ```text
//!   discovery --which version?--> one watcher per kind --Vec<Event>--> index
//!       ^                               |
//!       +------ the kind is gone -------+     403, 410, cut streams: that kind alone, reported in `Health`
//! ```
//!
//! A kind that cannot be read never takes another one down. What was read of it before stays as it was.

mod backoff;
mod connect;
mod convert;
mod discover;
mod error;
mod follow;
mod health;
mod leader;
mod pods;
mod review;
mod roots;
mod secret;
mod secrets;
mod source;
mod status;
mod token_keys;
mod waypoints;
mod webhook;

pub use connect::Cluster;
pub use error::{ApiError, ConnectError};
pub use health::{Health, KindHealth, KindState};
pub use leader::{LeaderConfig, LeaderElection};
pub use pods::{PodPatch, PodWriter, Untaint};
pub use review::{ReviewError, Reviewed, ReviewedPod, Reviewer};
pub use roots::RootConfigMaps;
pub use secret::{SecretError, SecretStore, Stored};
pub use secrets::SecretName;
pub use status::{StatusPatch, StatusWriter};
pub use token_keys::TokenKeys;
pub use waypoints::{WaypointName, WaypointOutcome, WaypointReport, WaypointWish, Waypoints, Wishes};
pub use webhook::{Target, Webhook};

/// Who writes, in `metadata.managedFields`.
const FIELD_MANAGER: &str = "weir-controller";
