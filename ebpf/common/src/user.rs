//! aya's marker for types that may be copied to and from the kernel as bytes.

use crate::{
    Addr, FlowStart, FlowTuple, OwnKey, PodConfig, PrefixKey, ProbePort, ProcessKey, ProcessView, RawEvent,
    StateOffsets,
};

macro_rules! pod {
    ($($name:ident),+ $(,)?) => {
        $(
            // SAFETY: repr(C), integers and arrays of integers only, and the size asserted beside each type equals the
            // sum of its fields, so there is no padding and every bit pattern is a value.
            unsafe impl aya::Pod for $name {}
        )+
    };
}

pod!(
    Addr,
    FlowStart,
    FlowTuple,
    OwnKey,
    PodConfig,
    PrefixKey,
    ProbePort,
    ProcessKey,
    ProcessView,
    RawEvent,
    StateOffsets
);
