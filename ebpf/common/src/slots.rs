//! Which entry of a pod's LISTENERS map holds which listener.
//!
//! ```text
//! 0..16                       outbound, one per worker
//! 16 + 32 n + 0..16           interface n (0..8): plaintext inbound, one per worker
//! 16 + 32 n + 16..32          interface n (0..8): HBONE inbound, one per worker
//! ```

/// Most workers that an agent may have; slots of the others stay empty.
pub const MAX_WORKERS: u32 = 16;

/// Most interfaces of one pod that take inbound traffic.
pub const MAX_INTERFACES: u32 = 8;

/// Size of the LISTENERS map.
pub const COUNT: u32 = MAX_WORKERS + MAX_INTERFACES * 2 * MAX_WORKERS;

const _: () = assert!(COUNT == 272);

/// First slot of interface number `n` (0-based order of discovery, not the ifindex).
#[inline(always)]
pub const fn interface_base(n: u32) -> u32 {
    MAX_WORKERS + 2 * MAX_WORKERS * n
}

/// Slot of worker `w` for connections that the pod opens.
#[inline(always)]
pub const fn outbound(worker: u32) -> u32 {
    worker
}

/// Slot of worker `w` for plaintext that arrives on the interface with this base.
#[inline(always)]
pub const fn plaintext(base: u32, worker: u32) -> u32 {
    base + worker
}

/// Slot of worker `w` for tunnels that arrive on the interface with this base.
#[inline(always)]
pub const fn hbone(base: u32, worker: u32) -> u32 {
    base + MAX_WORKERS + worker
}

/// The worker that gets a connection: multiply and shift spreads evenly over any number of workers without a division
/// (which BPF would have to guard). 0 workers counts as 1, more than `MAX_WORKERS` as that many.
#[inline(always)]
pub const fn worker(hash: u32, workers: u32) -> u32 {
    let workers = if workers == 0 {
        1
    } else if workers > MAX_WORKERS {
        MAX_WORKERS
    } else {
        workers
    };
    ((hash as u64 * workers as u64) >> 32) as u32
}
