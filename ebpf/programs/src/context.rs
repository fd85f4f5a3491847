//! Reading the kernel's context structures.

/// One load of one context field at a constant offset.
///
/// The verifier follows a context access only through an unmodified pointer. Left alone, LLVM joins the loads of two
/// branches (`remote_ip4` or `remote_ip6[0]`) into one load from a computed address, and the program is refused with
/// "dereference of modified ctx ptr". A volatile load per field, made before any branch, cannot be joined.
#[macro_export]
macro_rules! field {
    ($pointer:expr, $($field:tt)+) => {
        // SAFETY: the kernel's context is valid while the program runs, and the verifier checks offset and size.
        unsafe { core::ptr::read_volatile(&raw const (*$pointer).$($field)+) }
    };
}

/// The four words of an address field.
#[macro_export]
macro_rules! address {
    ($pointer:expr, $field:ident) => {
        weir_ebpf_common::Addr::v6(
            $crate::field!($pointer, $field[0]),
            $crate::field!($pointer, $field[1]),
            $crate::field!($pointer, $field[2]),
            $crate::field!($pointer, $field[3]),
        )
    };
}
