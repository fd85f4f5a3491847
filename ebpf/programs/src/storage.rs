//! Data kept with a socket: freed with it, found without a hash.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::{
        BPF_F_CLONE, BPF_F_NO_PREALLOC, BPF_SK_STORAGE_GET_F_CREATE, bpf_map_type::BPF_MAP_TYPE_SK_STORAGE,
    },
    helpers::generated::bpf_sk_storage_get,
};

/// `FLAGS` of a storage that children inherit from their listener.
pub const CLONED: usize = (BPF_F_NO_PREALLOC | BPF_F_CLONE) as usize;

/// A socket storage map. aya-ebpf has one too, but without BPF_F_CLONE and for sock_addr contexts only.
#[repr(C)]
pub struct SkStorage<T, const FLAGS: usize = { BPF_F_NO_PREALLOC as usize }> {
    r#type: *const [i32; BPF_MAP_TYPE_SK_STORAGE as usize],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; FLAGS],
}

// SAFETY: the pointers are a map definition in BTF form for the loader; nobody follows them.
unsafe impl<T, const FLAGS: usize> Sync for SkStorage<T, FLAGS> {}

impl<T, const FLAGS: usize> SkStorage<T, FLAGS> {
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

    /// What is kept with `sk`.
    ///
    /// # Safety
    /// `sk` is a socket pointer that the verifier knows and that is not null. The reference is good until the program
    /// returns; another CPU may write meanwhile, so the fields are plain integers that may be torn but not invalid.
    #[inline(always)]
    pub unsafe fn get(&self, sk: *mut c_void) -> Option<&T> {
        // SAFETY: see above; a null value pointer with flags 0 means "look up only".
        unsafe { bpf_sk_storage_get(self.as_ptr(), sk, core::ptr::null_mut(), 0).cast::<T>().as_ref() }
    }

    /// What is kept with `sk`, zeroed if it is new; nothing when there is no memory.
    ///
    /// # Safety
    /// As `get`.
    #[expect(clippy::mut_from_ref, reason = "the storage is the kernel's, `self` only names it")]
    #[inline(always)]
    pub unsafe fn get_or_create(&self, sk: *mut c_void) -> Option<&mut T> {
        let create = u64::from(BPF_SK_STORAGE_GET_F_CREATE);
        // SAFETY: see above; a null value pointer means "start with zeroes".
        unsafe { bpf_sk_storage_get(self.as_ptr(), sk, core::ptr::null_mut(), create).cast::<T>().as_mut() }
    }

    #[inline(always)]
    const fn as_ptr(&self) -> *mut c_void {
        core::ptr::from_ref(self).cast_mut().cast()
    }
}
