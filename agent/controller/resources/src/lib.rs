//! What the controller reads: Kubernetes' and Istio's objects, reduced to the fields that the mesh needs.
//!
//! The same types whether an object comes from a cluster or from a file: [`parse`] takes an object's JSON and answers
//! with an [`Object`], or with an [`Invalid`] that names the field. Nothing here knows a client, a file or a clock, so that
//! whoever checks configuration (the controller, its webhook, the command line) says the same words.
//!
//! ```text
//!   Kubernetes API --JSON--\
//!                           parse --> Object / Invalid --Event--> index
//!   YAML files ----JSON----/
//! ```
//!
//! Policies, and what is about requests, keep their spec as JSON: they are read rule by rule, so that one bad rule does not
//! hide the others.
#![forbid(unsafe_code)]

mod base64;
mod endpoint_slice;
mod event;
mod gateway;
mod gateway_status;
mod intern;
mod key;
mod kind;
mod meta;
mod names;
mod namespace;
mod node;
mod object;
mod parse;
mod pod;
mod policy;
mod problem;
mod routing;
mod secret;
mod service;
mod service_entry;
mod workload_entry;
mod yaml;

pub use base64::base64;
pub use endpoint_slice::{Endpoint, EndpointSlice, SlicePort};
pub use event::Event;
pub use gateway::{
    AllowedNamespaces, Expression, Gateway, GatewayAddressStatus, GatewayClass, GatewayTold, Infrastructure,
    Listener, Operator, Parameters, Selector, WAYPOINT_CLASS, WantedAddress,
};
pub use gateway_status::GatewayStatus;
pub use key::Key;
pub use kind::Kind;
pub use meta::{Condition, Labels, Meta};
pub use namespace::{ConfigMap, Namespace, ServiceAccount};
pub use node::Node;
pub use object::Object;
pub use parse::{conditions, kind_of, parse};
pub use pod::{ContainerPort, Phase, Pod};
pub use policy::Policy;
pub use problem::{Invalid, Problem};
pub use routing::{CONTROLLER_NAME, Routing};
pub use secret::Secret;
pub use service::{Service, ServicePort, TargetPort};
pub use service_entry::{Location, Resolution, ServiceEntry, ServiceEntryPort};
pub use workload_entry::{WorkloadEntry, WorkloadGroup, WorkloadSpec};
pub use yaml::{YamlProblem, documents, locate};
