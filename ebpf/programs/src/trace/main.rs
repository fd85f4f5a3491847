#![cfg_attr(target_arch = "bpf", no_std, no_main)]
//! The tracer's object: loaded only while somebody reads events, because it needs the kernel's BTF (20 MiB to parse) and
//! would otherwise run for every socket of the node.

mod maps;
mod state;

weir_ebpf_programs::object!();
