//! The part with the sockets: takes a client's connection and carries it, request by request, to where the route says.
//!
//! A [`Worker`] belongs to one thread; what it holds is never shared with another. hyper speaks HTTP on both sides; the
//! bytes of HTTP/1 are held against a strict reading before hyper sees them.
//!
//! What it does not do, and says so: responses of status 1xx other than 100 and 101 are not passed on (hyper's server cannot
//! send them); extended CONNECT (RFC 8441: WebSocket over HTTP/2) is not offered, and a stream that asks for it is reset;
//! upgrades to a backend that is forced to HTTP/2 are answered with 501.

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
pub use wire::{Io, Stream};
pub use worker::{Parts, Worker};
