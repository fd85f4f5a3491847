//! The part with the sockets: takes a client's connection and carries it, request by request, to where the route says.

#[allow(dead_code, unused_imports, reason = "the parts come one by one; the server that joins them is next")]
mod wire;

pub use wire::{Io, Stream};
