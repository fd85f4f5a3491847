//! Table of packets for `lookup`.

use core::net::IpAddr;

use super::*;
use crate::PROBE_LIFETIME_NS;

const NOW: u64 = 1_000_000_000_000;

/// A packet that arrives in a pod with the addresses 10.9.1.2, fd09::2 and the interface 2 (slots from 16 on).
struct Packet {
    protocol: u32,
    ifindex: u32,
    remote: &'static str,
    local: &'static str,
    port: u16,
    announced: Option<u64>,
}

const INBOUND: Packet =
    Packet { protocol: TCP, ifindex: 2, remote: "10.9.1.3", local: "10.9.1.2", port: 8080, announced: None };

fn ip(text: &str) -> Addr {
    Addr::from(text.parse::<IpAddr>().unwrap())
}

impl LookupFacts for Packet {
    fn protocol(&self) -> u32 {
        self.protocol
    }
    fn tuple(&self) -> FlowTuple {
        FlowTuple {
            local: ip(self.local),
            remote: ip(self.remote),
            local_port: self.port,
            remote_port: 40_000,
        }
    }
    fn ifindex(&self) -> u32 {
        self.ifindex
    }
    fn own(&self, addr: &Addr) -> bool {
        [ip("10.9.1.2"), ip("fd09::2")].contains(addr)
    }
    fn announced(&self, _: &FlowTuple) -> Option<u64> {
        self.announced
    }
    fn now(&self) -> u64 {
        NOW
    }
    fn base(&self, ifindex: u32) -> Option<u32> {
        (ifindex == 2).then(|| slots::interface_base(0))
    }
    fn config(&self) -> PodConfig {
        PodConfig { workers: 1, seed: 7 }
    }
}

#[test]
fn every_kind_of_packet() {
    let outbound = Lookup::Assign(0, Target::Outbound);
    let plaintext = Lookup::Assign(16, Target::Plaintext);
    let hbone = Lookup::Assign(32, Target::Hbone);
    let pass = Lookup::Pass;
    let own = Packet { remote: "10.9.1.2", ifindex: 1, ..INBOUND };
    for (name, packet, expected) in [
        ("inbound v4", INBOUND, plaintext),
        ("inbound v6", Packet { local: "fd09::2", remote: "fd09::3", ..INBOUND }, plaintext),
        ("tunnel", Packet { port: 15008, ..INBOUND }, hbone),
        ("tunnel v6", Packet { port: 15008, local: "fd09::2", remote: "fd09::3", ..INBOUND }, hbone),
        ("other interface", Packet { ifindex: 3, ..INBOUND }, Lookup::Drop(Drop::Interface)),
        ("udp", Packet { protocol: 17, ..INBOUND }, pass(Pass::NotTcp)),
        ("outbound v4", Packet { local: "10.96.0.10", ..own }, outbound),
        ("outbound v6", Packet { local: "fd09::3", remote: "fd09::2", ifindex: 1, ..INBOUND }, outbound),
        ("outbound to 15008", Packet { local: "10.9.1.3", port: 15008, ..own }, outbound),
        ("outbound by a second interface", Packet { local: "10.9.1.3", ifindex: 3, ..own }, outbound),
        (
            "bound to 127.0.0.1",
            Packet { local: "10.9.1.3", remote: "127.0.0.1", ifindex: 1, ..INBOUND },
            outbound,
        ),
        ("address not announced yet", Packet { local: "10.9.7.7", ..INBOUND }, Lookup::Drop(Drop::Foreign)),
        ("delivery over lo", Packet { ifindex: 1, ..INBOUND }, pass(Pass::Inside)),
        ("delivery over lo to 15008", Packet { ifindex: 1, port: 15008, ..INBOUND }, pass(Pass::Inside)),
        ("own address by lo shows eth0", Packet { ifindex: 2, ..own }, pass(Pass::Inside)),
        ("own address from 127.0.0.1", Packet { remote: "127.0.0.1", ..INBOUND }, pass(Pass::Inside)),
        (
            "loopback",
            Packet { local: "127.0.0.1", remote: "127.0.0.1", ifindex: 1, ..INBOUND },
            pass(Pass::Loopback),
        ),
        ("loopback v6", Packet { local: "::1", remote: "::1", ifindex: 1, ..INBOUND }, pass(Pass::Loopback)),
        ("probe", Packet { announced: Some(NOW - 1), ..INBOUND }, pass(Pass::Probe)),
        ("probe to 15008", Packet { announced: Some(NOW - 1), port: 15008, ..INBOUND }, pass(Pass::Probe)),
        ("stale probe", Packet { announced: Some(NOW - PROBE_LIFETIME_NS), ..INBOUND }, plaintext),
    ] {
        assert_eq!(lookup(&packet), expected, "{name}");
    }
}

#[test]
fn slots_of_interfaces_do_not_meet() {
    let mut seen = vec![false; slots::COUNT as usize];
    let mut take =
        |slot: u32| assert!(!std::mem::replace(&mut seen[slot as usize], true), "slot {slot} twice");
    (0..slots::MAX_WORKERS).for_each(|w| take(slots::outbound(w)));
    for base in (0..slots::MAX_INTERFACES).map(slots::interface_base) {
        for w in 0..slots::MAX_WORKERS {
            take(slots::plaintext(base, w));
            take(slots::hbone(base, w));
        }
    }
    assert!(seen.iter().all(|s| *s));
}

#[test]
fn source_ports_of_one_client_spread_over_the_workers() {
    for workers in [0, 1, 2, 3, 4, 7, 16, 17] {
        let mut hits = [0_u32; slots::MAX_WORKERS as usize];
        for remote_port in 30_000..40_000 {
            let tuple =
                FlowTuple { local: ip("10.9.1.2"), remote: ip("10.9.1.3"), local_port: 80, remote_port };
            hits[slots::worker(hash(&tuple, 7), workers) as usize] += 1;
        }
        let used = workers.clamp(1, slots::MAX_WORKERS) as usize;
        let fair = 10_000 / used as u32;
        for (worker, n) in hits.iter().enumerate() {
            let ok = if worker < used { *n > fair * 8 / 10 && *n < fair * 12 / 10 } else { *n == 0 };
            assert!(ok || used == 1, "{workers} workers: {hits:?}");
        }
    }
}

#[test]
fn the_seed_moves_connections() {
    let tuple =
        FlowTuple { local: ip("10.9.1.2"), remote: ip("10.9.1.3"), local_port: 80, remote_port: 40_000 };
    let picks: Vec<u32> = (0..64).map(|seed| slots::worker(hash(&tuple, seed), 16)).collect();
    assert!(picks.iter().any(|p| *p != picks[0]));
}
