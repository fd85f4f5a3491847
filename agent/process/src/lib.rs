//! What every process of Weir has around its work: settings that come in by one door, logs, the signals that end it, and
//! small HTTP endpoints that show what it does.
//!
//! The work is not here, and nothing here knows it: a process gives its settings' struct, its handlers, its endpoints.
#![forbid(unsafe_code)]

mod endpoint;
mod logging;
mod settings;
mod signals;

pub use endpoint::{Endpoint, Reply, Request, json, text, with_type};
pub use logging::LogLevel;
pub use settings::{Problems, Reader};
pub use signals::Signals;

/// `EX_USAGE` of sysexits.h: the configuration is wrong; a supervisor need not try again.
pub const EXIT_USAGE: u8 = 64;
