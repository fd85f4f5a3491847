//! Live connection events from the kernel (interface first; bodies follow).

/// What the kernel reports about one connection of a pod.
#[derive(Debug, Clone)]
pub struct Event {
    /// netns cookie of the socket.
    pub netns_cookie: u64,
}

/// A subscription to the node's connection events.
#[derive(Debug)]
pub struct EventStream;
