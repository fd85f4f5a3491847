//! Where a pod could speak in plaintext because something fails: the connect hook refuses, a full map says so.

use std::{io, net::SocketAddr};

use weir_ebpf_common::{Counter, MARK};

use super::{
    patch::patched,
    stage::{Stage, on_stage, socket, try_connect},
};
use crate::bpf::{link::Link, node, object::NODE, pins};

/// The connect hooks ask for a socket option that does not exist, in place of SO_MARK.
fn unmarkable(elf: &mut [u8]) {
    // r3 = 36, of linux/bpf.h: BPF_ALU64 | BPF_MOV | BPF_K.
    let set_mark = [0xb7, 0x03, 0, 0, 36, 0, 0, 0];
    let mut found = 0;
    for instruction in elf.chunks_exact_mut(8).filter(|instruction| **instruction == set_mark) {
        instruction[4..].copy_from_slice(&9999_u32.to_le_bytes());
        found += 1;
    }
    assert!(found >= 2, "one in connect4 and one in connect6 at least: {found}");
}

/// Puts hooks that cannot mark in place of the stage's.
fn break_marking(stage: &Stage) {
    let pins = pins::node_maps(&stage.root(), &node::MAPS);
    let mut broken = patched(&NODE, "unmarkable", unmarkable).load(&pins, |_| {}).unwrap();
    for (hook, function) in [("connect4", "weir_connect4"), ("connect6", "weir_connect6")] {
        let program = broken.program(function).unwrap();
        let link = Link::open(&pins::link(&stage.root(), hook)).unwrap().unwrap();
        link.update(hook, std::os::fd::AsFd::as_fd(&program)).unwrap();
    }
}

/// What connect() says to a socket of this cgroup that carries `mark`, and the mark after it.
fn connect(stage: &Stage, cgroup: &str, destination: &str, mark: u32) -> (io::Result<()>, u32) {
    let destination: SocketAddr = destination.parse().unwrap();
    stage.within(cgroup, || {
        let socket = socket(destination.ip());
        socket.set_mark(mark).unwrap();
        let result = try_connect(&socket, destination);
        (result, socket.mark().unwrap())
    })
}

fn refused(result: &io::Result<()>) -> bool {
    result.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EPERM))
}

#[test]
fn what_cannot_be_marked_does_not_connect() {
    on_stage(|stage| {
        let node = stage.enrolled();
        break_marking(stage);
        let destinations = ["10.9.1.3:80", "[fd09::3]:80", "[::ffff:10.9.1.3]:80"];
        for destination in destinations {
            let (result, mark) = connect(stage, "pods/app", destination, 0);
            assert!(refused(&result) && mark == 0, "{destination}: {result:?}, mark {mark:#x}");
        }
        assert_eq!(node.counters().unwrap().get(Counter::Refused), destinations.len() as u64);
        // A mark of ours that must go and cannot: the connection would be routed to a listener that does not want it.
        let (result, _) = connect(stage, "pods/app", "10.9.1.2:80", MARK);
        assert!(refused(&result), "{result:?}");
        // Nothing to set or to clear: nothing to refuse.
        for (cgroup, destination, mark) in [
            ("pods/app", "127.0.0.1:9", 0),
            ("pods/app", "10.9.1.3:80", MARK),
            ("pods/agent", "10.9.1.3:80", 0),
        ] {
            let (result, _) = connect(stage, cgroup, destination, mark);
            assert!(!refused(&result), "{cgroup} {destination}: {result:?}");
        }
        node.unenrol(stage.cookie()).unwrap();
        assert!(!refused(&connect(stage, "pods/app", "10.9.1.3:80", 0).0), "not of other pods");
    });
}

#[test]
fn a_full_map_says_which_and_changes_nothing() {
    on_stage(|stage| {
        let node = stage.enrolled();
        let others = 1_u64 << 40;
        let error = (0..).find_map(|n| node.enrol(others + n).err()).unwrap().to_string();
        assert!(error.contains("ENROLLED") && error.contains("4096"), "{error}");
        let address = |n: u32| std::net::Ipv4Addr::from_bits(0x0b00_0000 + n).into();
        let error = (0..).find_map(|n| node.own_add(others, address(n)).err()).unwrap().to_string();
        assert!(error.contains("OWN") && error.contains("16384"), "{error}");
        // Who was in before is captured as before, and what is no longer known as own is captured too.
        node.enrol(stage.cookie()).unwrap();
        assert_eq!(connect(stage, "pods/app", "10.9.1.3:80", 0).1, MARK);
        assert_eq!(connect(stage, "pods/app", "10.9.1.2:80", 0).1, 0);
        assert_eq!(connect(stage, "pods/app", "11.0.0.0:80", 0).1, MARK, "the address of another namespace");
        node.unenrol(others).unwrap();
        node.enrol(others + (1 << 20)).unwrap();
    });
}
