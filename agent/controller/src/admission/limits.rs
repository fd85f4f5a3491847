//! What a caller of the webhook may take.

use std::time::Duration;

/// Limits of the webhook's port. The API server is the only caller that is wanted, but anybody can reach it.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open connections. With [`Self::bytes`] it says how much memory strangers can take.
    pub connections: usize,
    /// Open connections from one address, so that one stranger does not keep the API server out.
    pub per_address: usize,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time for the head of a request, and so for a connection to say nothing.
    pub head: Duration,
    /// Time for the body of a request.
    pub body: Duration,
    /// Bytes of a body. A stored object has 1.5 MiB at most, and a review holds the object as it was, too.
    pub bytes: usize,
    /// Values of a body. Each takes up to 100 bytes when it is read, and `0,` is one.
    pub values: usize,
    /// Time for what is open when the webhook is told to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 192,
            per_address: 96,
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(30),
            body: Duration::from_secs(5),
            bytes: 4 << 20,
            values: 250_000,
            drain: Duration::from_secs(5),
        }
    }
}
