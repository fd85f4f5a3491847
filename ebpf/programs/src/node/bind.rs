//! cgroup/bind4 and bind6 on the pods' cgroup: SO_REUSEADDR for explicit ports. Linux 6.1; before that the option fails
//! and the bind goes on without it.

use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::{bpf_get_netns_cookie, bpf_setsockopt},
    macros::cgroup_sock_addr,
    programs::SockAddrContext,
};
use aya_log_ebpf::{debug, warn};
use weir_ebpf_common::{Counter, verdict};
use weir_ebpf_programs::{count, field};

use crate::maps::{COUNTERS, ENROLLED};

const ALLOW: i32 = 1;
const SOL_SOCKET: i32 = 1;
const SO_REUSEADDR: i32 = 2;

#[cgroup_sock_addr(bind4)]
pub(crate) fn weir_bind4(ctx: SockAddrContext) -> i32 {
    bind(&ctx)
}

#[cgroup_sock_addr(bind6)]
pub(crate) fn weir_bind6(ctx: SockAddrContext) -> i32 {
    bind(&ctx)
}

#[inline(always)]
fn bind(ctx: &SockAddrContext) -> i32 {
    let port = u16::from_be(field!(ctx.sock_addr, user_port) as u16);
    let protocol = field!(ctx.sock_addr, protocol);
    // SAFETY: the context is the hook's own.
    let netns = unsafe { bpf_get_netns_cookie(ctx.as_ptr()) };
    if !verdict::bind(ENROLLED.get_ptr(netns).is_some(), protocol, port) {
        return ALLOW;
    }
    let mut on = 1_u32;
    // SAFETY: the value is 4 bytes on the stack, as SO_REUSEADDR wants it.
    let result = unsafe { bpf_setsockopt(ctx.as_ptr(), SOL_SOCKET, SO_REUSEADDR, (&raw mut on).cast(), 4) };
    if result == 0 {
        count(&COUNTERS, Counter::BindReuse);
        debug!(ctx, target: crate::LOG, "bind port {}: SO_REUSEADDR", port);
    } else {
        count(&COUNTERS, Counter::BindReuseFailed);
        warn!(ctx, target: crate::LOG, "bind port {}: SO_REUSEADDR failed with {}", port, result);
    }
    ALLOW
}
