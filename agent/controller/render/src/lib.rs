//! A waypoint's Gateway to the objects that run it: Deployment, Service, ServiceAccount, and on request an autoscaler and a
//! disruption budget. A pure function: no client, no clock, so that whoever asks (the controller, the command line) gets the
//! same objects, and files of examples show each byte.
//!
//! ```text
//!   Gateway, GatewayClass, Settings --parts--> objects --overlays (strategic merge)--> what is applied
//!                                                  \--> guard: an overlay changes no name, owner or selector
//! ```
#![forbid(unsafe_code)]

mod account;
mod deployment;
mod guard;
mod names;
mod overlay;
mod part;
mod render;
mod scaling;
mod schema;
mod service;
mod strategic;

pub use names::{MANAGED, MANAGED_BY, Names};
pub use overlay::{DEFAULTS_FOR_CLASS, Overlay, parameters};
pub use part::{Part, PartKind};
pub use render::{Input, Settings, render};
