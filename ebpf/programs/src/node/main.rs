#![cfg_attr(target_arch = "bpf", no_std, no_main)]
//! The node's object: hooks on the pods' cgroup, and the one that sees the kubelet. Loaded once per agent.

mod bind;
mod connect;
mod kubelet;
mod maps;
mod sock_ops;
mod tuple;

weir_ebpf_programs::object!();

/// Target of the programs' log lines in user space.
const LOG: &str = "weir_ebpf";
