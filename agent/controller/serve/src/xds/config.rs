//! Limits of a stream.

use std::time::Duration;

/// What a client may cost.
#[derive(Debug, Clone)]
pub struct XdsConfig {
    /// Largest request, in bytes. The first request of a client that comes back names all that it holds: about 90 bytes for
    /// each workload, so Istio's 4 MiB end somewhat below 50,000 workloads.
    pub max_request: usize,
    /// How many streams may have their first request read at a time; the others wait, and one
    /// address has a quarter of the turns. With `max_request` it bounds what
    /// a whole mesh that comes back at once takes.
    pub greetings: usize,
    /// How long a client may take for its first request.
    pub greeting_timeout: Duration,
    /// Responses are cut at about this size, in bytes. HTTP/2 keeps buffers of the largest for as long as a stream lives.
    pub response: usize,
    /// The first response of a type is cut at this size only, in bytes, for clients that take it for everything: Istio's.
    pub first_response: usize,
    /// How many of those may be under way at a time; the others wait, and one address has a quarter of them.
    pub first_responses: usize,
    /// How long a client may take for one before the next client has its turn.
    pub first_timeout: Duration,
    /// Most names that a stream may ask for.
    pub max_names: usize,
    /// Longest name, in bytes.
    pub max_name: usize,
    /// How long a client may leave a response unread before its stream is dropped.
    pub stall: Duration,
    /// How long a node proxy's first workloads wait for it to ask for policies.
    pub policies_first: Duration,
}

impl Default for XdsConfig {
    fn default() -> Self {
        Self {
            max_request: 16 << 20,
            greetings: 8,
            greeting_timeout: Duration::from_secs(15),
            response: 64 << 10,
            first_response: 16 << 20,
            first_responses: 8,
            first_timeout: Duration::from_secs(10),
            max_names: 100_000,
            max_name: 1024,
            stall: Duration::from_secs(120),
            policies_first: Duration::from_millis(100),
        }
    }
}
