//! Objects with a changed instruction, to see what happens when the kernel says no.

use crate::bpf::object::Object;

/// A copy of `object` after `change`; it lives as long as the process, as objects do.
pub(super) fn patched(
    object: &'static Object,
    name: &'static str,
    change: impl FnOnce(&mut [u8]),
) -> &'static Object {
    let length = object.elf.len();
    // Objects are 8 byte aligned, as their instructions are.
    let words: &'static mut [u64] = vec![0; length.div_ceil(8)].leak();
    // SAFETY: the same memory as bytes, not longer; bytes need no alignment and the reference is the only one.
    let bytes = unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u8>(), length) };
    bytes.copy_from_slice(object.elf);
    change(bytes);
    Box::leak(Box::new(Object::new(name, bytes)))
}

/// File offset of a section of a little-endian ELF64 file.
pub(super) fn section(elf: &[u8], wanted: &[u8]) -> Option<usize> {
    let number = |at: usize, bytes: usize| {
        elf[at..at + bytes].iter().rev().fold(0_usize, |value, byte| (value << 8) | usize::from(*byte))
    };
    let (table, size, count) = (number(0x28, 8), number(0x3a, 2), number(0x3c, 2));
    let offset = |index: usize| number(table + index * size + 0x18, 8);
    let names = offset(number(0x3e, 2));
    (0..count).find(|index| elf[names + number(table + index * size, 4)..].starts_with(wanted)).map(offset)
}
