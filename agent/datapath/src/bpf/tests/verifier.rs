//! What the kernel looks at before it takes a program, and what is told when it refuses.

use super::{
    patch::{patched, section},
    stage::on_stage,
};
use crate::bpf::{
    object::{NODE, POD, TRACE},
    pins,
};

/// The program begins with a load far outside of its context.
fn damage(elf: &mut [u8]) {
    let start = section(elf, b"sk_lookup").unwrap();
    // r0 = *(u64 *)(r1 + 0x7000), of linux/bpf.h: BPF_LDX | BPF_DW | BPF_MEM.
    elf[start..start + 8].copy_from_slice(&[0x79, 0x10, 0x00, 0x70, 0, 0, 0, 0]);
    // What was there may have been two words long: r0 = 0.
    elf[start + 8..start + 16].copy_from_slice(&[0xb7, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_refused_program_shows_the_verifiers_log() {
    on_stage(|stage| {
        let object = patched(&POD, "damaged", damage);
        pins::prepare(&stage.root()).unwrap();
        let names = ["LISTENERS", "OWN", "INTERFACES", "CONFIG", "PROBES", "COUNTERS"];
        let mut loaded = object.load(&pins::node_maps(&stage.root(), &names), |_| {}).unwrap();
        let text = loaded.program("weir_lookup").unwrap_err().to_string();
        assert!(text.contains("`weir_lookup` of object `damaged`"), "{text}");
        assert!(text.contains("invalid bpf_context access off=28672 size=8"), "{text}");
    });
}

#[test]
fn every_object_says_a_licence_that_the_kernel_knows() {
    for object in [&NODE, &POD, &TRACE] {
        let start = section(object.elf, b"license").unwrap();
        assert!(object.elf[start..].starts_with(b"Dual MIT/GPL\0"), "{}", object.name);
    }
}
