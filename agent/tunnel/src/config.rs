//! What can be set about the tunnel.

use std::time::Duration;

/// Settings of the tunnel. The defaults are meant for production; tests shorten the times.
#[derive(Debug, Clone)]
pub struct Config {
    /// TCP connect to a peer's node, to an application, or to a destination outside the mesh.
    pub connect_timeout: Duration,
    /// TLS handshake, either side.
    pub tls_timeout: Duration,
    /// From CONNECT to its answer. Longer than `connect_timeout`: the peer connects to its application meanwhile.
    pub response_timeout: Duration,
    /// First attempt to connect to an application over loopback. A loopback connect that takes so long met
    /// another socket with the same addresses; the next attempt has another port and `connect_timeout`.
    pub first_delivery_timeout: Duration,
    /// From the start of a tunnel to its first PING, and from each answer to the next PING.
    pub ping_interval: Duration,
    /// From a PING to its answer; then the tunnel is dead.
    pub ping_timeout: Duration,
    /// How often, at most, the sources of open connections are looked up while policy stays the same. Every new pod is
    /// a change of the mesh, and hardly ever one of the pods that are connected.
    pub source_interval: Duration,
    /// How long an open connection stays while a policy that its destination lists is not known. Who comes new is refused
    /// at once; but Istio's control plane sends the workload before the policy, and whoever is allowed by both the old and
    /// the new policy should not be cut off in between.
    pub missing_policy_grace: Duration,
    /// A pooled tunnel without a stream is closed after this.
    pub idle_timeout: Duration,
    /// Streams that a peer may have open in one tunnel (SETTINGS_MAX_CONCURRENT_STREAMS).
    pub max_streams: u32,
    /// Streams that we open in one tunnel, if the peer allows as many.
    pub pool_streams: usize,
    /// Tunnels per destination and worker that bulk streams are spread over.
    pub spread: usize,
    /// Bytes after which a stream is bulk.
    pub bulk_after: u64,
    /// Bytes that a peer may send on one stream before we took any (SETTINGS_INITIAL_WINDOW_SIZE).
    pub stream_window: u32,
    /// The same for all streams of a tunnel.
    pub connection_window: u32,
    /// Bytes that all tunnels of a worker may have beyond that, while streams stall whose applications do not
    /// read: without it a few of them would starve the other streams of their tunnel.
    pub stalled_memory: u32,
    /// Largest frame that a peer may send (SETTINGS_MAX_FRAME_SIZE).
    pub frame_size: u32,
    /// Bytes of one stream that may wait for the tunnel's turn to send.
    pub send_buffer: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            tls_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(15),
            first_delivery_timeout: Duration::from_secs(1),
            ping_interval: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(20),
            source_interval: Duration::from_secs(1),
            missing_policy_grace: Duration::from_secs(2),
            idle_timeout: Duration::from_secs(300),
            max_streams: 200,
            pool_streams: 200,
            spread: 4,
            bulk_after: 1 << 20,
            stream_window: 4 << 20,
            connection_window: 16 << 20,
            stalled_memory: 256 << 20,
            frame_size: 256 << 10,
            send_buffer: 1 << 20,
        }
    }
}
