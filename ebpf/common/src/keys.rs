//! Keys and values of the maps.

use crate::Addr;

/// Key of OWN in the node's object: this address belongs to that network namespace.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnKey {
    /// netns cookie; never reused within one boot (an inode may be).
    pub cookie: u64,
    /// The address.
    pub addr: Addr,
}

const _: () = assert!(size_of::<OwnKey>() == 24 && align_of::<OwnKey>() == 8);

/// Key of PROBE_PORTS: a port that a kubelet may probe without the agent.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProbePort {
    /// Address of the pod.
    pub addr: Addr,
    /// Port, host byte order; a whole word, so that no padding can hold stack garbage.
    pub port: u32,
}

const _: () = assert!(size_of::<ProbePort>() == 20 && align_of::<ProbePort>() == 4);

/// Key of KUBELETS: one process. The number alone is not enough, for it is given again; with the start it is not.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProcessKey {
    /// Its number in the PID namespace of the agent.
    pub tgid: u32,
    /// Zero.
    pub pad: u32,
    /// When it started, in clock ticks since boot, as `/proc/<pid>/stat` has it: [`TICK_NS`].
    pub started: u64,
}

const _: () = assert!(size_of::<ProcessKey>() == 16 && align_of::<ProcessKey>() == 8);

/// USER_HZ of the kernel is 100 everywhere but on alpha: one tick in nanoseconds.
pub const TICK_NS: u64 = 10_000_000;

/// What a program needs to know which process it runs for. As [`StateOffsets`], a constant for the verifier.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProcessView {
    /// Device of the PID namespace's file, as the kernel numbers devices.
    pub namespace_device: u64,
    /// Inode of the PID namespace's file; 0: processes are not told apart, the cgroup decides.
    pub namespace_inode: u64,
    /// Offset of `task_struct.group_leader`, a pointer.
    pub group_leader: u32,
    /// Offset of `task_struct.start_boottime`, u64 nanoseconds.
    pub start_boottime: u32,
}

const _: () = assert!(size_of::<ProcessView>() == 24 && align_of::<ProcessView>() == 8);

/// Key of EXCLUDE, a longest-prefix trie: `prefix_len` bits of `addr` count (an IPv4 prefix adds 96).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PrefixKey {
    /// 0..=128.
    pub prefix_len: u32,
    /// The network.
    pub addr: Addr,
}

const _: () = assert!(size_of::<PrefixKey>() == 20 && align_of::<PrefixKey>() == 4);

/// The single value of a pod's CONFIG map.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodConfig {
    /// Workers that have listeners in the slots; fill the slots before this is raised.
    pub workers: u32,
    /// Seed of the slot hash.
    pub seed: u32,
}

const _: () = assert!(size_of::<PodConfig>() == 8 && align_of::<PodConfig>() == 4);

/// Where the tracepoint finds what it reads, in bytes. The programs have no CO-RE: user space takes these from the
/// running kernel's BTF and hands them over as a constant before the verifier looks.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateOffsets {
    /// `sock.__sk_common.skc_net.net`, a pointer.
    pub sk_net: u32,
    /// `net.net_cookie`, u64.
    pub net_cookie: u32,
    /// `sock.__sk_common.skc_family`, u16.
    pub sk_family: u32,
    /// `sock.__sk_common.skc_daddr`, be32.
    pub sk_daddr: u32,
    /// `sock.__sk_common.skc_rcv_saddr`, be32.
    pub sk_rcv_saddr: u32,
    /// `sock.__sk_common.skc_v6_daddr`, 16 bytes.
    pub sk_v6_daddr: u32,
    /// `sock.__sk_common.skc_v6_rcv_saddr`, 16 bytes.
    pub sk_v6_rcv_saddr: u32,
    /// `sock.__sk_common.skc_dport`, be16.
    pub sk_dport: u32,
    /// `inet_sock.inet_sport`, be16; `skc_num` is 0 again when a socket closes.
    pub inet_sport: u32,
    /// `sock.sk_protocol`, u16.
    pub sk_protocol: u32,
    /// `tcp_sock.bytes_acked`, u64.
    pub bytes_acked: u32,
    /// `tcp_sock.bytes_received`, u64.
    pub bytes_received: u32,
    /// `tcp_sock.srtt_us`, u32, eighths of a microsecond.
    pub srtt_us: u32,
}

const _: () = assert!(size_of::<StateOffsets>() == 52 && align_of::<StateOffsets>() == 4);
