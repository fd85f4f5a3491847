//! What the programs count, per CPU, in one pinned array that all objects share.

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// Index into COUNTERS. Append only: the array is pinned and shared with other versions.
        #[repr(u32)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Counter {
            $($(#[$doc])* $name,)+
        }

        impl Counter {
            /// All of them, in the order of their index.
            pub const ALL: &[Counter] = &[$(Counter::$name,)+];

            /// Name for metrics and messages.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Counter::$name => $text,)+
                }
            }
        }
    };
}

counters! {
    /// connect() marked: the agent will carry it.
    Captured = "captured",
    /// Left alone: the socket's namespace is no enrolled pod.
    ExemptNotEnrolled = "exempt_not_enrolled",
    /// Left alone: made by the agent's own cgroup.
    ExemptAgent = "exempt_agent",
    /// Left alone: not TCP.
    ExemptNotTcp = "exempt_not_tcp",
    /// Left alone: destination 127/8 or ::1.
    ExemptLoopback = "exempt_loopback",
    /// Left alone: destination 0.0.0.0 or ::, which means loopback.
    ExemptUnspecified = "exempt_unspecified",
    /// Left alone: destination is an address of the pod itself.
    ExemptOwn = "exempt_own",
    /// Left alone: destination is on the exclude list.
    ExemptExcluded = "exempt_excluded",
    /// connect() answered EPERM, because the mark could not be set or cleared.
    Refused = "refused",
    /// bind() got SO_REUSEADDR.
    BindReuse = "bind_reuse",
    /// SO_REUSEADDR could not be set (kernel before 6.1); the bind went on without it.
    BindReuseFailed = "bind_reuse_failed",
    /// Accepted socket of a delivery tied to lo.
    LoBound = "lo_bound",
    /// It could not be tied to lo.
    LoBindFailed = "lo_bind_failed",
    /// Kubelet probes announced to sk_lookup.
    ProbeAnnounced = "probe_announced",
    /// Kubelet probes that could not be announced.
    ProbeFailed = "probe_failed",
    /// sk_lookup gave an outbound SYN to the agent.
    LookupOutbound = "lookup_outbound",
    /// sk_lookup gave an inbound SYN to a plaintext listener.
    LookupPlaintext = "lookup_plaintext",
    /// sk_lookup gave an inbound SYN to an HBONE listener.
    LookupHbone = "lookup_hbone",
    /// sk_lookup let a packet pass: loopback, own address, delivery over lo.
    LookupPassed = "lookup_passed",
    /// sk_lookup let a kubelet's probe pass.
    LookupProbe = "lookup_probe",
    /// Dropped: destination is not the pod's and the source is not either (C2).
    DropForeign = "drop_foreign",
    /// Dropped: arrived on an interface without listeners.
    DropInterface = "drop_interface",
    /// Dropped: the listener's slot is empty or the kernel refused the socket.
    DropNoListener = "drop_no_listener",
    /// Connection events lost because the ring was full.
    EventsLost = "events_lost",
    /// A connection to a declared probe port that another process than the kubelet made: it meets the agent.
    ProbeOther = "probe_other",
}

impl Counter {
    /// Size of the COUNTERS array; room for more without a new layout.
    pub const CAPACITY: u32 = 64;
}

const _: () = assert!(Counter::ALL.len() <= Counter::CAPACITY as usize);
