//! cgroup/connect4 and connect6 on the pods' cgroup: decide and set the mark. Linux 5.8.
//!
//! The destination is never rewritten. A mark that cannot be set refuses the connect() (EPERM): an enrolled pod does
//! not speak plaintext by accident.

use aya_ebpf::btf_maps::lpm_trie::Key;
use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::{
        bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_netns_cookie,
        bpf_get_socket_cookie, bpf_ktime_get_ns, bpf_setsockopt,
    },
    macros::cgroup_sock_addr,
    programs::SockAddrContext,
};
use aya_log_ebpf::{debug, error};
use weir_ebpf_common::{
    Addr, Counter, FlowStart, OwnKey, RawEvent, TCP, control, kind, role,
    verdict::{self, Connect, ConnectFacts, Exempt},
};
use weir_ebpf_programs::{address, count, field, report, switched_on};

use crate::maps::{
    CONTROL, COUNTERS, CURRENT_TASK, ENROLLED, EVENTS, EXCLUDE, EXEMPT, FLOWS, OWN, WEIR_MARK,
};

const REFUSE: i32 = 0;
const ALLOW: i32 = 1;
const SOL_SOCKET: i32 = 1;
const SO_MARK: i32 = 36;

#[cgroup_sock_addr(connect4)]
pub(crate) fn weir_connect4(ctx: SockAddrContext) -> i32 {
    let destination = Addr::v4(field!(ctx.sock_addr, user_ip4));
    decide(&Call::new(&ctx, destination))
}

#[cgroup_sock_addr(connect6)]
pub(crate) fn weir_connect6(ctx: SockAddrContext) -> i32 {
    let destination = address!(ctx.sock_addr, user_ip6);
    decide(&Call::new(&ctx, destination))
}

/// One connect() call.
struct Call<'a> {
    ctx: &'a SockAddrContext,
    netns: u64,
    destination: Addr,
    port: u16,
    protocol: u32,
}

impl<'a> Call<'a> {
    #[inline(always)]
    fn new(ctx: &'a SockAddrContext, destination: Addr) -> Self {
        Self {
            ctx,
            // SAFETY: the context is the hook's own.
            netns: unsafe { bpf_get_netns_cookie(ctx.as_ptr()) },
            destination,
            port: u16::from_be(field!(ctx.sock_addr, user_port) as u16),
            protocol: field!(ctx.sock_addr, protocol),
        }
    }
}

impl ConnectFacts for Call<'_> {
    #[inline(always)]
    fn enrolled(&self) -> bool {
        ENROLLED.get_ptr(self.netns).is_some()
    }
    #[inline(always)]
    fn exempt_cgroup(&self) -> bool {
        // SAFETY: no arguments.
        EXEMPT.get_ptr(unsafe { bpf_get_current_cgroup_id() }).is_some()
    }
    #[inline(always)]
    fn protocol(&self) -> u32 {
        self.protocol
    }
    #[inline(always)]
    fn destination(&self) -> Addr {
        self.destination
    }
    #[inline(always)]
    fn own(&self) -> bool {
        OWN.get_ptr(OwnKey { cookie: self.netns, addr: self.destination }).is_some()
    }
    #[inline(always)]
    fn excluded(&self) -> bool {
        EXCLUDE.get(&Key::new(128, self.destination)).is_some()
    }
}

#[inline(always)]
fn decide(call: &Call<'_>) -> i32 {
    match verdict::connect(call) {
        Connect::Capture => capture(call),
        Connect::Exempt(reason) => exempt(call, reason),
    }
}

#[inline(always)]
fn capture(call: &Call<'_>) -> i32 {
    let mark = WEIR_MARK.load();
    if current_mark(call) != mark && !set_mark(call, mark) {
        return refuse(call);
    }
    count(&COUNTERS, Counter::Captured);
    debug!(call.ctx, target: crate::LOG, "connect {:i} port {}: captured", octets(&call.destination), call.port);
    if reporting() {
        tell(call, kind::CAPTURED, 0, role::CLIENT);
    }
    ALLOW
}

#[inline(always)]
fn exempt(call: &Call<'_>, reason: Exempt) -> i32 {
    if reason.clears_mark() && current_mark(call) == WEIR_MARK.load() && !set_mark(call, 0) {
        return refuse(call);
    }
    count(&COUNTERS, reason.counter());
    debug!(call.ctx, target: crate::LOG, "connect {:i} port {}: exempt {}", octets(&call.destination), call.port, reason as u8);
    if reporting() {
        match reason {
            Exempt::NotTcp => {}
            // What the agent does outside of the pods is nobody's traffic.
            Exempt::NotEnrolled if call.protocol != TCP || call.exempt_cgroup() => {}
            Exempt::Agent => tell(call, kind::EXEMPT, reason as u8, role::AGENT),
            _ => tell(call, kind::EXEMPT, reason as u8, role::CLIENT),
        }
    }
    ALLOW
}

#[inline(always)]
fn refuse(call: &Call<'_>) -> i32 {
    count(&COUNTERS, Counter::Refused);
    error!(call.ctx, target: crate::LOG,
        "connect {:i} port {}: refused, the mark cannot be set",
        octets(&call.destination),
        call.port
    );
    if reporting() {
        tell(call, kind::REFUSED, 0, role::CLIENT);
    }
    REFUSE
}

#[inline(always)]
fn current_mark(call: &Call<'_>) -> u32 {
    let sk = field!(call.ctx.sock_addr, __bindgen_anon_1.sk);
    field!(sk, mark)
}

#[inline(always)]
fn set_mark(call: &Call<'_>, mut mark: u32) -> bool {
    // SAFETY: the value is 4 bytes on the stack, as SO_MARK wants it.
    let result = unsafe {
        bpf_setsockopt(
            call.ctx.as_ptr(),
            SOL_SOCKET,
            SO_MARK,
            (&raw mut mark).cast(),
            size_of::<u32>() as i32,
        )
    };
    result == 0
}

/// Somebody reads events.
#[inline(always)]
fn reporting() -> bool {
    switched_on(&CONTROL) & control::EVENTS != 0
}

/// Reports the decision, and keeps with the socket who made it for the events that follow.
#[inline(always)]
fn tell(call: &Call<'_>, kind: u8, reason: u8, role: u8) {
    let sk = field!(call.ctx.sock_addr, __bindgen_anon_1.sk);
    // SAFETY: a sock_addr context always has a socket.
    let mut start = unsafe { FLOWS.get_or_create(sk.cast()) };
    if let Some(start) = &mut start {
        fill(start, role);
    }
    let event = RawEvent {
        time_ns: 0,
        netns_cookie: call.netns,
        cgroup_id: 0,
        // SAFETY: the context is the hook's own.
        socket_cookie: unsafe { bpf_get_socket_cookie(call.ctx.as_ptr()) },
        bytes_sent: 0,
        bytes_received: 0,
        duration_ns: 0,
        local: Addr::v6(0, 0, 0, 0),
        remote: call.destination,
        local_port: 0,
        remote_port: call.port,
        pid: 0,
        rtt_us: 0,
        kind,
        reason,
        role,
        pad: 0,
        comm: [0; 16],
    };
    report(&EVENTS, &COUNTERS, &event, start.as_deref());
}

#[inline(always)]
fn fill(start: &mut FlowStart, role: u8) {
    start.role = u32::from(role);
    // SAFETY: helpers without arguments, and one that writes exactly the 16 bytes of `comm`.
    unsafe {
        start.time_ns = bpf_ktime_get_ns();
        start.cgroup_id = bpf_get_current_cgroup_id();
        if CURRENT_TASK.load() != 0 {
            start.pid = (bpf_get_current_pid_tgid() >> 32) as u32;
            bpf_get_current_comm((&raw mut start.comm).cast(), 16);
        }
    }
}

/// The address as aya-log prints it.
#[inline(always)]
fn octets(addr: &Addr) -> [u8; 16] {
    // SAFETY: four words in memory order are sixteen octets in network order.
    unsafe { core::mem::transmute(addr.words) }
}
