//! How a process of the data plane lives from a control plane: the settings that say where it is and who we are to it, the
//! CA behind it, and how it stands with both, for config dumps.
//!
//! Node agents and waypoints have this in common. What they ask a control plane for is their own.
#![forbid(unsafe_code)]

mod ca;
pub mod dump;
mod settings;

pub use ca::Ca;
pub use settings::Settings;
