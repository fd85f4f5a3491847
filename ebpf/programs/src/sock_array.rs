//! A SOCKMAP with 8 byte values.
//!
//! User space writes socket fds into it and reads socket cookies back, which is how the agent checks that a slot still
//! holds its listener. With the usual 4 byte values (aya-ebpf's `SockMap`) the kernel refuses to be read.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::bpf_map_type::BPF_MAP_TYPE_SOCKMAP,
    helpers::generated::{bpf_map_lookup_elem, bpf_sk_assign, bpf_sk_release},
    programs::SkLookupContext,
};

/// BPF_SK_LOOKUP_F_NO_REUSEPORT: without it the kernel would choose again inside the listener's SO_REUSEPORT group, by
/// its own hash, and the slot would mean nothing.
const NO_REUSEPORT: u64 = 2;

/// Array of `N` sockets.
#[repr(C)]
pub struct SockArray<const N: usize> {
    r#type: *const [i32; BPF_MAP_TYPE_SOCKMAP as usize],
    key: *const u32,
    value: *const u64,
    max_entries: *const [i32; N],
    map_flags: *const [i32; 0],
}

// SAFETY: the pointers are a map definition in BTF form for the loader; nobody follows them.
unsafe impl<const N: usize> Sync for SockArray<N> {}

impl<const N: usize> SockArray<N> {
    /// The definition.
    #[expect(clippy::new_without_default, reason = "a map is a static; Default cannot be called there")]
    pub const fn new() -> Self {
        Self {
            r#type: core::ptr::null(),
            key: core::ptr::null(),
            value: core::ptr::null(),
            max_entries: core::ptr::null(),
            map_flags: core::ptr::null(),
        }
    }

    /// Gives the packet to the socket in `slot`; `false` when the slot is empty or the kernel refuses the socket.
    #[inline(always)]
    pub fn assign(&self, ctx: &SkLookupContext, slot: u32) -> bool {
        // SAFETY: the map is ours and the key is on the stack; a socket that comes back is referenced.
        let sk = unsafe { bpf_map_lookup_elem(self.as_ptr(), (&raw const slot).cast()) };
        if sk.is_null() {
            return false;
        }
        // SAFETY: `sk` is not null, and released below on every path.
        let result = unsafe { bpf_sk_assign(ctx.lookup.cast(), sk, NO_REUSEPORT) };
        // SAFETY: the reference is given back exactly once.
        unsafe { bpf_sk_release(sk) };
        result == 0
    }

    #[inline(always)]
    const fn as_ptr(&self) -> *mut c_void {
        core::ptr::from_ref(self).cast_mut().cast()
    }
}
