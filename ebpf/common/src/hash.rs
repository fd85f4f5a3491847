//! The hash that chooses a worker for a connection.

use crate::FlowTuple;

/// 32 well mixed bits of a 4-tuple. `seed` is random per pod, so that a client cannot aim all of its connections at one
/// worker by choosing source ports.
///
/// Multiply-rotate over the words and the finalizer of MurmurHash3 (public domain): the slot choice uses the high bits,
/// and source ports of one client differ only in the low ones.
#[inline(always)]
pub const fn hash(tuple: &FlowTuple, seed: u32) -> u32 {
    let [a, b, c, d] = tuple.local.words;
    let [e, f, g, h] = tuple.remote.words;
    let ports = ((tuple.local_port as u32) << 16) | tuple.remote_port as u32;
    let mut x = seed;
    x = mix(x, a);
    x = mix(x, b);
    x = mix(x, c);
    x = mix(x, d);
    x = mix(x, e);
    x = mix(x, f);
    x = mix(x, g);
    x = mix(x, h);
    x = mix(x, ports);
    x ^= x >> 16;
    x = x.wrapping_mul(0x85eb_ca6b);
    x ^= x >> 13;
    x = x.wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

#[inline(always)]
const fn mix(x: u32, word: u32) -> u32 {
    let y = (x ^ word).wrapping_mul(0x9e37_79b1);
    y.rotate_left(13)
}
