//! The part with the sockets: takes a client's connection and carries it, request by request, to where the route says.
#![allow(dead_code, unused_imports, reason = "the parts come one by one; the server that joins them is next")]

mod connect;
mod http;
mod pool;
mod report;
mod wire;

pub use connect::{ConnectError, Connector, Keepalive, PlainConnector, Target};
pub use report::{AccessLog, Flags, Form, Metrics, Party, ServiceName, Value};
pub use wire::{Io, Stream};
