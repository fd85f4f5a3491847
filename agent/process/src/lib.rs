//! What every process of Weir has around its work: arguments and settings that come in by one door, logs, the signals
//! that end it, and small HTTP endpoints that show what it does.
//!
//! The work is not here, and nothing here knows it: a process gives its settings' struct, its handlers, its endpoints.
#![forbid(unsafe_code)]

mod command;
mod endpoint;
mod listen;
mod logging;
mod pages;
mod places;
mod settings;
mod signals;

pub use command::{arguments, finished, misused, stopped};
pub use endpoint::{Endpoint, Reply, Request, json, text, with_type};
pub use listen::{Port, listen};
pub use logging::LogLevel;
pub use pages::{MetricsPage, logging};
pub use places::{Place, Places};
pub use settings::{Problems, Reader};
pub use signals::Signals;
