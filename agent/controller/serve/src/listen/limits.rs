//! What strangers may cost.

use std::time::Duration;

/// Limits of the port.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time; one for every agent and service, and some.
    pub connections: usize,
    /// Connections at a time from one address that have not proved who they are. Agents
    /// of many nodes may come from one address, where addresses are translated.
    pub unproven_per_address: usize,
    /// Connections taken in a second; the others wait in the kernel's queue.
    pub accepts_per_second: u32,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a connection may stay without a request that was let through.
    pub unproven: Duration,
    /// Requests that may be refused on a connection on which none was let through.
    pub refusals: u32,
    /// Streams at a time on one connection.
    pub streams: u32,
    /// Size of the headers of a request, in bytes.
    pub headers: u32,
    /// How long connections have to end when the port closes.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            unproven_per_address: 1024,
            accepts_per_second: 1000,
            handshake: Duration::from_secs(10),
            unproven: Duration::from_secs(20),
            refusals: 64,
            streams: 256,
            headers: 32 << 10,
            drain: Duration::from_secs(5),
        }
    }
}
