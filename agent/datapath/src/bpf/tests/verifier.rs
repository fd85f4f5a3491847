//! What is told when the kernel refuses a program.

use super::stage::on_stage;
use crate::bpf::{
    object::{Object, POD},
    pins,
};

/// A copy of the pod's object whose program begins with a load far outside of its context.
fn damaged() -> &'static [u8] {
    let mut words: Vec<u64> = vec![0; POD.elf.len().div_ceil(8)];
    for (word, bytes) in words.iter_mut().zip(POD.elf.chunks(8)) {
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_ne_bytes(whole);
    }
    let start = section(POD.elf, b"sk_lookup").unwrap();
    assert_eq!(start % 8, 0, "instructions are 8 byte aligned");
    // r0 = *(u64 *)(r1 + 0x7000), of linux/bpf.h: BPF_LDX | BPF_DW | BPF_MEM.
    words[start / 8] = u64::from_le_bytes([0x79, 0x10, 0x00, 0x70, 0, 0, 0, 0]);
    // What was there may have been two words long: r0 = 0.
    words[start / 8 + 1] = u64::from_le_bytes([0xb7, 0, 0, 0, 0, 0, 0, 0]);
    let words: &'static [u64] = words.leak();
    // SAFETY: the same memory as bytes, not longer than before.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), POD.elf.len()) }
}

/// File offset of a section of a little-endian ELF64 file.
fn section(elf: &[u8], wanted: &[u8]) -> Option<usize> {
    let number = |at: usize, bytes: usize| {
        elf[at..at + bytes].iter().rev().fold(0_usize, |value, byte| (value << 8) | usize::from(*byte))
    };
    let (table, size, count) = (number(0x28, 8), number(0x3a, 2), number(0x3c, 2));
    let offset = |index: usize| number(table + index * size + 0x18, 8);
    let names = offset(number(0x3e, 2));
    (0..count).find(|index| elf[names + number(table + index * size, 4)..].starts_with(wanted)).map(offset)
}

#[test]
fn a_refused_program_shows_the_verifiers_log() {
    on_stage(|stage| {
        let object: &'static Object = Box::leak(Box::new(Object::new("damaged", damaged())));
        pins::prepare(&stage.root()).unwrap();
        let names = ["LISTENERS", "OWN", "INTERFACES", "CONFIG", "PROBES", "COUNTERS"];
        let mut loaded = object.load(&pins::node_maps(&stage.root(), &names), |_| {}).unwrap();
        let text = loaded.program("weir_lookup").unwrap_err().to_string();
        assert!(text.contains("`weir_lookup` of object `damaged`"), "{text}");
        assert!(text.contains("invalid bpf_context access off=28672 size=8"), "{text}");
    });
}
