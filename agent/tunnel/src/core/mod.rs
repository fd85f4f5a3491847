//! The tunnel without sockets: what is on the wire, what state a stream is in, which tunnel a stream takes.
//!
//! Nothing here waits, reads a clock or owns a file descriptor, so every rule has a table of cases as its test.

pub mod authority;
pub mod baggage;
pub mod connect;
pub mod forwarded;
pub mod life;
pub mod pool;
pub mod trace;
