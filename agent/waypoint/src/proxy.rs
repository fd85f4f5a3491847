//! The part with the sockets: takes a client's connection and carries it, request by request, to where the route says.
//!
//! A [`Worker`] belongs to one thread; what it holds is never shared with another. hyper speaks HTTP on both sides; the
//! bytes of HTTP/1 are held against a strict reading before hyper sees them.
//!
//! What passes, what is refused and with which status is in `docs/protocols.md`. What hyper cannot do and we leave: interim
//! responses (1xx) from an HTTP/2 backend or to an HTTP/2 client.

mod arrival;
mod choice;
mod clusters;
mod config;
mod connect;
mod connection;
mod http;
mod pool;
mod report;
mod serve;
mod wire;
mod worker;

pub use arrival::{Arrival, Service, Settings, Source};
pub use choice::Backends;
pub use config::Config;
pub use connect::{ConnectError, Connector, Keepalive, PlainConnector, Target};
pub use report::{AccessLog, Flags, Form, Metrics, Party, ServiceName, Value};
#[cfg(feature = "fuzz")]
pub use wire::fuzz;
pub use wire::{Io, Stream};
pub use worker::{Parts, Worker};
