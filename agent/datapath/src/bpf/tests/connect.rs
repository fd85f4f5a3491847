//! connect4/6 with real connects.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use super::stage::{Stage, ip, on_stage, socket, try_connect};
use weir_ebpf_common::{Counter, MARK};

/// The socket's mark after connect(), and what connect() said.
fn marked(stage: &Stage, cgroup: &str, destination: &str) -> (u32, io::Result<()>) {
    let destination: SocketAddr = destination.parse().unwrap();
    stage.within(cgroup, || {
        let socket = socket(destination.ip());
        let result = try_connect(&socket, destination);
        (socket.mark().unwrap(), result)
    })
}

#[test]
fn captured_or_exempt_by_destination_and_caller() {
    on_stage(|stage| {
        let node = stage.enrolled();
        node.set_exclude(&[("192.0.2.128".parse().unwrap(), 25), ("fd0e::".parse().unwrap(), 32)]).unwrap();
        // The kernel asks the hook before it looks for a route.
        for (destination, counter) in [
            ("10.9.1.3:80", Counter::Captured),
            ("[fd09::3]:80", Counter::Captured),
            ("[::ffff:10.9.1.3]:80", Counter::Captured),
            ("192.0.2.127:80", Counter::Captured),
            ("127.0.0.1:9", Counter::ExemptLoopback),
            ("[::1]:9", Counter::ExemptLoopback),
            ("[::ffff:127.0.0.1]:9", Counter::ExemptLoopback),
            ("0.0.0.0:9", Counter::ExemptUnspecified),
            ("[::]:9", Counter::ExemptUnspecified),
            ("10.9.1.2:80", Counter::ExemptOwn),
            ("[fd09::2]:80", Counter::ExemptOwn),
            ("[::ffff:10.9.1.2]:80", Counter::ExemptOwn),
            ("192.0.2.128:80", Counter::ExemptExcluded),
            ("[::ffff:192.0.2.255]:80", Counter::ExemptExcluded),
            ("[fd0e:0:1::1]:80", Counter::ExemptExcluded),
        ] {
            let before = node.counters().unwrap();
            let (mark, result) = marked(stage, "pods/app", destination);
            let captured = counter == Counter::Captured;
            assert_eq!(mark, if captured { MARK } else { 0 }, "{destination}: {result:?}");
            let after = node.counters().unwrap();
            assert_eq!(
                after.get(counter),
                before.get(counter) + 1,
                "{destination} counts as {}",
                counter.name()
            );
        }
        let before = node.counters().unwrap();
        for (cgroup, destination) in [("pods/agent", "10.9.1.3:80"), ("pods/agent", "[fd09::3]:80")] {
            assert_eq!(marked(stage, cgroup, destination).0, 0, "{cgroup} {destination}");
        }
        assert_eq!(node.counters().unwrap().get(Counter::ExemptAgent), before.get(Counter::ExemptAgent) + 2);
        assert_eq!(marked(stage, "kubelet", "10.9.1.3:80").0, 0, "not in the pods' cgroup");
    });
}

#[test]
fn only_the_cgroups_of_running_agents_are_exempt() {
    on_stage(|stage| {
        let node = stage.enrolled();
        assert_eq!(marked(stage, "pods/agent", "10.9.1.3:80").0, 0);
        // More restarts than the map has room for.
        for restart in 0..1100 {
            node.exempt_cgroup((1 << 40) + restart, 7, |_, _| false).unwrap();
        }
        assert_eq!(marked(stage, "pods/agent", "10.9.1.3:80").0, MARK, "whoever is in that cgroup now");
        let (agents, next) = (stage.cgroup_id("pods/agent"), 1 << 50);
        node.exempt_cgroup(agents, 7, |_, _| false).unwrap();
        assert_eq!(marked(stage, "pods/agent", "10.9.1.3:80").0, 0);
        // The next agent is there, and this one has connections to end.
        node.exempt_cgroup(next, 8, |id, agent| (id, agent) == (agents, 7)).unwrap();
        assert_eq!(marked(stage, "pods/agent", "10.9.1.3:80").0, 0);
        node.exempt_cgroup(next, 8, |_, _| false).unwrap();
        assert_eq!(marked(stage, "pods/agent", "10.9.1.3:80").0, MARK);
    });
}

#[test]
fn only_enrolled_namespaces() {
    on_stage(|stage| {
        let node = stage.enrolled();
        assert_eq!(marked(stage, "pods/app", "10.9.1.3:80").0, MARK);
        node.unenrol(stage.cookie()).unwrap();
        assert_eq!(marked(stage, "pods/app", "10.9.1.3:80").0, 0);
        node.unenrol(stage.cookie()).unwrap();
        node.enrol(stage.cookie()).unwrap();
        assert_eq!(marked(stage, "pods/app", "10.9.1.3:80").0, MARK);
        assert_eq!(node.enrolled().unwrap(), [stage.cookie()]);
    });
}

#[test]
fn a_mark_that_is_left_over_is_cleared() {
    on_stage(|stage| {
        let node = stage.enrolled();
        node.set_exclude(&[("192.0.2.128".parse().unwrap(), 25)]).unwrap();
        for (destination, preset, expected) in [
            // Exempt: ours goes, the app's own stays.
            ("127.0.0.1:9", MARK, 0),
            ("127.0.0.1:9", 77, 77),
            ("10.9.1.2:80", MARK, 0),
            ("[fd09::2]:80", MARK, 0),
            ("[::ffff:192.0.2.129]:80", MARK, 0),
            // Captured: the app's own is overwritten.
            ("10.9.1.3:80", 77, MARK),
            ("10.9.1.3:80", MARK, MARK),
        ] {
            let destination: SocketAddr = destination.parse().unwrap();
            let mark = stage.within("pods/app", || {
                let socket = socket(destination.ip());
                socket.set_mark(preset).unwrap();
                let _ = try_connect(&socket, destination);
                socket.mark().unwrap()
            });
            assert_eq!(mark, expected, "{destination} with {preset:#x}");
        }
        // The agent's delivery sockets keep what the agent gave them.
        let mark = stage.within("pods/agent", || {
            let socket = socket("10.9.1.2".parse::<IpAddr>().unwrap());
            socket.set_mark(MARK).unwrap();
            let _ = try_connect(&socket, "10.9.1.2:80".parse().unwrap());
            socket.mark().unwrap()
        });
        assert_eq!(mark, MARK);
    });
}

#[test]
fn a_socket_that_connects_again_is_judged_again() {
    on_stage(|stage| {
        let _node = stage.enrolled();
        ip("route add local 198.51.100.0/24 dev lo");
        let marks = stage.within("pods/app", || {
            let socket = socket("127.0.0.1".parse::<IpAddr>().unwrap());
            ["198.51.100.1:9", "127.0.0.1:9", "198.51.100.2:9"].map(|destination| {
                // Refused by nobody listening: the socket may be used again.
                let result = socket.connect(&destination.parse::<SocketAddr>().unwrap().into());
                assert_eq!(result.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
                socket.mark().unwrap()
            })
        });
        assert_eq!(marks, [MARK, 0, MARK]);
    });
}

#[test]
fn udp_is_left_alone() {
    on_stage(|stage| {
        let node = stage.enrolled();
        ip("route add local 198.51.100.0/24 dev lo");
        let mark = stage.within("pods/app", || {
            let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.connect("198.51.100.1:53").unwrap();
            socket2::SockRef::from(&socket).mark().unwrap()
        });
        assert_eq!(mark, 0);
        assert_eq!(node.counters().unwrap().get(Counter::ExemptNotTcp), 1);
    });
}

#[test]
fn the_exclude_list_is_replaced() {
    on_stage(|stage| {
        let node = stage.enrolled();
        let networks = |list: &[(&str, u8)]| -> Vec<(IpAddr, u8)> {
            list.iter().map(|(ip, bits)| (ip.parse().unwrap(), *bits)).collect()
        };
        node.set_exclude(&networks(&[("192.0.2.1", 24), ("203.0.113.0", 24)])).unwrap();
        assert_eq!(marked(stage, "pods/app", "192.0.2.9:80").0, 0);
        node.set_exclude(&networks(&[("203.0.113.0", 24)])).unwrap();
        assert_eq!(marked(stage, "pods/app", "192.0.2.9:80").0, MARK);
        assert_eq!(marked(stage, "pods/app", "203.0.113.9:80").0, 0);
        node.set_exclude(&[]).unwrap();
        assert_eq!(marked(stage, "pods/app", "203.0.113.9:80").0, MARK);
    });
}

#[test]
fn own_addresses_come_and_go() {
    on_stage(|stage| {
        let node = stage.enrolled();
        let new: IpAddr = "10.9.7.7".parse().unwrap();
        assert_eq!(marked(stage, "pods/app", "10.9.7.7:80").0, MARK);
        node.own_add(stage.cookie(), new).unwrap();
        assert_eq!(marked(stage, "pods/app", "10.9.7.7:80").0, 0);
        node.own_remove(stage.cookie(), new).unwrap();
        assert_eq!(marked(stage, "pods/app", "10.9.7.7:80").0, MARK);
        node.own_add(stage.cookie() + 1, new).unwrap();
        assert_eq!(marked(stage, "pods/app", "10.9.7.7:80").0, MARK, "another pod's address");
        node.own_clear(stage.cookie()).unwrap();
        assert_eq!(marked(stage, "pods/app", "10.9.1.2:80").0, MARK);
        assert_eq!(node.own(stage.cookie() + 1).unwrap(), [new]);
    });
}
