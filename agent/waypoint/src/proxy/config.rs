//! What a worker may spend on its clients.

use std::time::Duration;

/// Limits; the defaults are Envoy's where it has some.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long the first bytes of a client are awaited on a port whose protocol is to be found out. When it is over, the
    /// connection goes on to the server, which may be waiting to speak first.
    pub detection_time: Duration,
    /// From the first byte of a request's head to the last.
    pub head_time: Duration,
    /// Of a client's connection without requests.
    pub idle_time: Duration,
    /// Of a request in which nothing moves, in either direction. `None`: as long as it likes, as in Istio.
    pub stream_idle_time: Option<Duration>,
    /// Of a connection that is only copied, without a byte in either direction.
    pub tcp_idle_time: Duration,
    /// Of a request's head, in bytes: 431 beyond it.
    pub max_head: usize,
    /// Of a request's target, in bytes: 414 beyond it.
    pub max_target: usize,
    /// Requests at a time on a connection of HTTP/2.
    pub max_streams: u32,
    /// What is kept of a request's body for another try, and for a mirror that is behind, in bytes.
    pub max_replay: usize,
    /// Mirrored requests at a time: more are not made.
    pub max_mirrors: usize,
    /// Gives requests without one a `traceparent` that is not sampled. Off by default: a program that follows its parent
    /// would never sample then.
    pub make_traceparent: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            detection_time: Duration::from_millis(200),
            head_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(3600),
            stream_idle_time: None,
            tcp_idle_time: Duration::from_secs(3600),
            max_head: super::http::MAX_HEAD,
            max_target: 32 * 1024,
            max_streams: 1024,
            max_replay: 64 * 1024,
            max_mirrors: 256,
            make_traceparent: false,
        }
    }
}
