#![cfg_attr(target_arch = "bpf", no_std, no_main)]
//! A pod's object: sk_lookup. One instance per pod, because sk_lookup may not ask for the namespace that it runs in.

mod lookup;
mod maps;

weir_ebpf_programs::object!();
