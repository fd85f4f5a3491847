#![no_std]
//! What the three eBPF objects share: reading a context, socket storage, the socket array, counters, events.
//!
//! ```text
//! node    connect4/6, bind4/6, sock_ops    on the pods' cgroup
//!         sock_ops                         on the kubelet's cgroup, or on the root
//! pod     sk_lookup                        in each pod's network namespace
//! trace   tp_btf/inet_sock_set_state       while somebody reads events
//! ```
//! The decisions are in `weir-ebpf-common`; here is only how the kernel is asked and told. Nothing may panic: a panic
//! that the compiler cannot prove away is a program that the verifier refuses.

mod context;
mod counters;
mod events;
mod sock_array;
mod storage;

pub use counters::{Counters, count};
pub use events::{Control, Events, report, switched_on};
pub use sock_array::SockArray;
pub use storage::{CLONED, SkStorage};

/// What every object must have: its licence, and a panic handler that is never reached.
///
/// The kernel gives `bpf_ktime_get_ns` and `bpf_probe_read_kernel` only to programs whose `license` section holds a word from its
/// own list (include/linux/license.h), and Apache-2.0, the licence of the rest of Weir, is not on it. So the code that is compiled
/// into the objects, this crate and `weir-ebpf-common`, is offered under MIT and GPL-2.0 as well; "Dual MIT/GPL" is the
/// list's word for that. User space takes `weir-ebpf-common` under Apache-2.0.
#[macro_export]
macro_rules! object {
    () => {
        #[cfg(target_arch = "bpf")]
        #[unsafe(link_section = "license")]
        #[unsafe(no_mangle)]
        static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

        #[cfg(target_arch = "bpf")]
        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
            loop {}
        }

        #[cfg(not(target_arch = "bpf"))]
        fn main() {}
    };
}
