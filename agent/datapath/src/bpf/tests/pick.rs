//! BPF_PROG_TEST_RUN of a pod's program: what it answers for a packet, without any traffic.

use std::net::IpAddr;

use weir_ebpf_common::{FlowTuple, TCP};

use crate::bpf::{PodProgram, sys};

/// The program's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    /// SK_PASS without a socket: the kernel looks for the app's listener.
    Pass,
    /// SK_DROP.
    Drop,
    /// Handed to the socket with this SO_COOKIE.
    Socket(u64),
}

/// The kernel takes no interface index but 0 here: inbound packets need listeners on "interface 0".
pub(super) fn pick(pod: &PodProgram, tuple: &FlowTuple) -> Pick {
    match sys::run_sk_lookup(pod.program(), &context(tuple)).unwrap() {
        (0, _) => Pick::Drop,
        (_, 0) => Pick::Pass,
        (_, cookie) => Pick::Socket(cookie),
    }
}

/// `struct bpf_sk_lookup` as 18 words: cookie 2, family, protocol, remote_ip4, remote_ip6 4, remote_port, local_ip4,
/// local_ip6 4, local_port, ingress_ifindex (must be 0), padding.
fn context(tuple: &FlowTuple) -> [u32; 18] {
    const AF_INET: u32 = 2;
    const AF_INET6: u32 = 10;
    let mut words = [0; 18];
    words[3] = TCP;
    if IpAddr::from(tuple.local).is_ipv4() && IpAddr::from(tuple.remote).is_ipv4() {
        words[2] = AF_INET;
        words[4] = tuple.remote.words[3];
        words[10] = tuple.local.words[3];
    } else {
        words[2] = AF_INET6;
        words[5..9].copy_from_slice(&tuple.remote.words);
        words[11..15].copy_from_slice(&tuple.local.words);
    }
    let [high, low] = tuple.remote_port.to_be_bytes();
    words[9] = u32::from_ne_bytes([high, low, 0, 0]);
    words[15] = u32::from(tuple.local_port);
    words
}
