//! Where objects come from: a directory of YAML files, or a Kubernetes cluster.
//!
//! A source sends [`Event`](weir_resources::Event)s: a list of every kind first, then what changes. Whoever receives them
//! cannot tell which source it is: what a file leaves out, and a cluster would have filled in, the directory adds.
#![forbid(unsafe_code)]

mod dir;
mod kubernetes;

pub use dir::{DirError, Directory, derived_uid};
pub use kubernetes::{
    ApiError, Cluster, ConnectError, Health, KindHealth, KindState, LeaderConfig, LeaderElection, PodPatch,
    PodWriter, ReviewError, Reviewed, ReviewedPod, Reviewer, RootConfigMaps, SecretError, SecretName,
    SecretStore, StatusPatch, StatusWriter, Stored, Target, TokenKeys, Untaint, WaypointName,
    WaypointOutcome, WaypointReport, WaypointWish, Waypoints, Webhook, Wishes,
};
