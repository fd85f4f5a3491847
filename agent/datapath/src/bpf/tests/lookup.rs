//! sk_lookup by test runs of the loaded program, with real sockets in its slots.

use std::{
    net::{IpAddr, TcpListener},
    os::fd::AsFd,
};

use weir_ebpf_common::{Counter, FlowTuple, HBONE_PORT, slots};

use super::pick::{Pick, pick};
use super::stage::{OWN, Stage, agent_listener, cookie, on_stage};
use crate::bpf::{NodePrograms, PodProgram};

fn packet(from: &str, to: &str, port: u16) -> FlowTuple {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap().into();
    FlowTuple { local: ip(to), remote: ip(from), local_port: port, remote_port: 40_000 }
}

/// A pod with one listener per kind in the slots of worker 0; interface 0 is what test runs come by.
fn pod(stage: &Stage, node: &NodePrograms) -> (PodProgram, [TcpListener; 3]) {
    let pod = node.pods().unwrap().load("a", stage.netns.as_fd()).unwrap();
    for ip in OWN {
        pod.own_add(ip.parse().unwrap()).unwrap();
    }
    let listeners = [61000, 61001, 61002].map(agent_listener);
    let base = slots::interface_base(0);
    for (slot, listener) in
        [slots::outbound(0), slots::plaintext(base, 0), slots::hbone(base, 0)].into_iter().zip(&listeners)
    {
        pod.set_slot(slot, listener).unwrap();
    }
    pod.set_workers(1).unwrap();
    pod.set_interface(0, base).unwrap();
    (pod, listeners)
}

#[test]
fn verdicts_of_the_program_are_those_of_the_table() {
    on_stage(|stage| {
        let node = NodePrograms::start(&stage.config()).unwrap();
        let (pod, listeners) = pod(stage, &node);
        let [outbound, plaintext, hbone] =
            listeners.each_ref().map(|listener| Pick::Socket(cookie(listener)));
        for (name, packet, expected) in [
            ("outbound", packet("10.9.1.2", "10.96.0.10", 80), outbound),
            ("outbound v6", packet("fd09::2", "fd09::3", 80), outbound),
            ("outbound to 15008", packet("10.9.1.2", "10.9.1.3", HBONE_PORT), outbound),
            ("outbound bound to 127.0.0.1", packet("127.0.0.1", "10.9.1.3", 80), outbound),
            ("inbound", packet("10.9.1.3", "10.9.1.2", 80), plaintext),
            ("inbound v6", packet("fd09::3", "fd09::2", 80), plaintext),
            ("tunnel", packet("10.9.1.3", "10.9.1.2", HBONE_PORT), hbone),
            ("tunnel v6", packet("fd09::3", "fd09::2", HBONE_PORT), hbone),
            ("neither end is ours", packet("10.9.1.3", "10.9.1.4", 80), Pick::Drop),
            ("neither end is ours, v6", packet("fd09::3", "fd09::4", 80), Pick::Drop),
            ("to itself", packet("10.9.1.2", "10.9.1.2", 80), Pick::Pass),
            ("loopback", packet("127.0.0.1", "127.0.0.1", 80), Pick::Pass),
            ("loopback v6", packet("::1", "::1", 80), Pick::Pass),
            ("from loopback to itself", packet("127.0.0.1", "10.9.1.2", 80), Pick::Pass),
        ] {
            assert_eq!(pick(&pod, &packet), expected, "{name}");
        }
        pod.remove_interface(0).unwrap();
        assert_eq!(pick(&pod, &packet("10.9.1.3", "10.9.1.2", 80)), Pick::Drop, "no listeners there");
        let counters = node.counters().unwrap();
        for (counter, expected) in [
            (Counter::LookupOutbound, 4),
            (Counter::LookupPlaintext, 2),
            (Counter::LookupHbone, 2),
            (Counter::LookupPassed, 4),
            (Counter::DropForeign, 2),
            (Counter::DropInterface, 1),
            (Counter::DropNoListener, 0),
        ] {
            assert_eq!(counters.get(counter), expected, "{}", counter.name());
        }
    });
}

#[test]
fn no_listener_means_drop() {
    on_stage(|stage| {
        let node = NodePrograms::start(&stage.config()).unwrap();
        let (pod, listeners) = pod(stage, &node);
        let outbound = packet("10.9.1.2", "10.96.0.10", 80);
        assert_eq!(pod.slot_cookie(0).unwrap(), Some(cookie(&listeners[0])));
        drop(listeners);
        assert_eq!(pod.slot_cookie(0).unwrap(), None, "a closed socket leaves its slot");
        for (packet, name) in [
            (outbound, "outbound"),
            (packet("10.9.1.3", "10.9.1.2", 80), "plaintext"),
            (packet("10.9.1.3", "10.9.1.2", HBONE_PORT), "tunnel"),
        ] {
            assert_eq!(pick(&pod, &packet), Pick::Drop, "{name}");
        }
        assert_eq!(node.counters().unwrap().get(Counter::DropNoListener), 3);
        let next = agent_listener(61003);
        pod.set_slot(0, &next).unwrap();
        assert_eq!(pick(&pod, &outbound), Pick::Socket(cookie(&next)));
        pod.clear_slot(0).unwrap();
        pod.clear_slot(0).unwrap();
        assert_eq!(pick(&pod, &outbound), Pick::Drop);
    });
}

/// With listeners of one SO_REUSEPORT group the kernel would choose again inside the group, and a test run would answer
/// EOPNOTSUPP, were the slot not final (C3).
#[test]
fn the_slot_of_a_reuseport_group_is_final() {
    on_stage(|stage| {
        let node = NodePrograms::start(&stage.config()).unwrap();
        let (pod, _listeners) = pod(stage, &node);
        let group: Vec<TcpListener> = (0..4).map(|_| agent_listener(62000)).collect();
        for (slot, listener) in (0..).zip(&group) {
            pod.set_slot(slots::outbound(slot), listener).unwrap();
        }
        pod.set_workers(4).unwrap();
        assert_eq!(pod.workers().unwrap(), 4);
        let mut hits = [0; 4];
        for remote_port in 30_000..30_400 {
            let tuple = FlowTuple { remote_port, ..packet("10.9.1.2", "10.96.0.10", 80) };
            let Pick::Socket(picked) = pick(&pod, &tuple) else { panic!("not assigned") };
            let worker = group.iter().position(|listener| cookie(listener) == picked).unwrap();
            hits[worker] += 1;
            // Every time the same.
            assert_eq!(pick(&pod, &tuple), Pick::Socket(picked));
        }
        assert!(hits.iter().all(|n| *n > 50), "{hits:?}");
    });
}
