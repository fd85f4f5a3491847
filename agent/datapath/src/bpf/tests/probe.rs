//! sock_ops of the kubelet: which of its connections are announced, and what sk_lookup makes of it.

use std::{
    net::{IpAddr, SocketAddr, TcpStream},
    os::fd::AsFd,
};

use weir_ebpf_common::{Counter, FlowTuple, slots};

use super::pick::{Pick, pick};
use super::stage::{add_address, agent_listener, cookie, listen, on_stage};
use crate::{
    bpf::{Config, NodePrograms},
    config::Kubelet,
    tests::ground::skip,
};

/// The connection as the pod sees it.
fn tuple(client: &TcpStream) -> FlowTuple {
    let (from, to) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    FlowTuple {
        local: to.ip().into(),
        remote: from.ip().into(),
        local_port: to.port(),
        remote_port: from.port(),
    }
}

#[test]
fn declared_probes_of_the_kubelet_pass() {
    on_stage(|stage| {
        let node = stage.enrolled();
        // Addresses of a pod that are reachable without one: the probes only have to be made.
        add_address("10.9.1.2");
        add_address("fd09::2");
        add_address("10.9.1.1");
        add_address("fd09::1");
        let _app = [listen("10.9.1.2:8080"), listen("[fd09::2]:8080"), listen("10.9.1.2:8081")];
        for own in super::stage::OWN {
            node.probe_port_add(own.parse::<IpAddr>().unwrap(), 8080).unwrap();
        }
        let pods = node.pods().unwrap();
        let pod = pods.load("a", stage.netns.as_fd()).unwrap();
        for own in super::stage::OWN {
            pod.own_add(own.parse().unwrap()).unwrap();
        }
        let agent = agent_listener(61000);
        pod.set_slot(slots::plaintext(slots::interface_base(0), 0), &agent).unwrap();
        pod.set_workers(1).unwrap();
        // A test run has interface 0.
        pod.set_interface(0, slots::interface_base(0)).unwrap();
        let to_agent = Pick::Socket(cookie(&agent));

        for (cgroup, from, to, expected) in [
            ("kubelet", "10.9.1.1:0", "10.9.1.2:8080", Pick::Pass),
            ("kubelet", "[fd09::1]:0", "[fd09::2]:8080", Pick::Pass),
            ("kubelet", "[::ffff:10.9.1.1]:0", "[::ffff:10.9.1.2]:8080", Pick::Pass),
            ("kubelet", "10.9.1.1:0", "10.9.1.2:8081", to_agent),
            ("pods/agent", "10.9.1.1:0", "10.9.1.2:8080", to_agent),
        ] {
            let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
            let client = stage.within(cgroup, || {
                let socket = super::stage::socket(to.ip());
                socket.bind(&from.into()).unwrap();
                socket.connect(&to.into()).unwrap();
                TcpStream::from(socket)
            });
            assert_eq!(pick(&pod, &tuple(&client)), expected, "{cgroup} {from} to {to}");
            // The next one from there is somebody else's.
            let next = FlowTuple { remote_port: tuple(&client).remote_port ^ 1, ..tuple(&client) };
            assert_eq!(pick(&pod, &next), to_agent, "neighbour of {cgroup} {from} to {to}");
        }
        let counters = node.counters().unwrap();
        assert_eq!((counters.get(Counter::ProbeAnnounced), counters.get(Counter::ProbeFailed)), (3, 0));
        assert_eq!(counters.get(Counter::LookupProbe), 3);

        node.probe_port_remove("10.9.1.2".parse().unwrap(), 8080).unwrap();
        stage.within("kubelet", || TcpStream::connect("10.9.1.2:8080").unwrap());
        assert_eq!(node.counters().unwrap().get(Counter::ProbeAnnounced), 3);
    });
}

/// A kubelet in nobody's cgroup is known by its process, whichever thread of it connects.
///
/// Agents on kernels that cannot tell know it by its cgroup (the test above).
#[test]
fn only_the_kubelets_process_is_announced() {
    if !crate::tells_processes_apart() {
        return skip("Linux 6.10 with BTF");
    }
    on_stage(|stage| {
        let config = Config { kubelet: Kubelet::Process(stage.cgroup.clone()), ..stage.config() };
        let node = NodePrograms::start(&config).unwrap();
        add_address("10.9.1.2");
        let _app = [listen("10.9.1.2:8080"), listen("10.9.1.2:8081")];
        node.probe_port_add("10.9.1.2".parse().unwrap(), 8080).unwrap();
        let own = (std::process::id(), started_at());
        let announced = |port: u16| {
            let before = node.counters().unwrap();
            stage.within("pods/app", || TcpStream::connect(("10.9.1.2", port)).unwrap());
            let after = node.counters().unwrap();
            [Counter::ProbeAnnounced, Counter::ProbeOther].map(|which| after.get(which) - before.get(which))
        };
        for (what, process, port, expected) in [
            ("nobody is known", None, 8080, [0, 1]),
            ("the kubelet", Some(own), 8080, [1, 0]),
            ("the kubelet, and no probe", Some(own), 8081, [0, 0]),
            ("one that had its number before", Some((own.0, own.1 - 1)), 8080, [0, 1]),
            ("another process", Some((own.0 + 1, own.1)), 8080, [0, 1]),
            ("the kubelet again", Some(own), 8080, [1, 0]),
        ] {
            node.set_kubelet(process).unwrap();
            assert_eq!(announced(port), expected, "{what}");
        }
        // The next agent says anew who it is, and the programs know it meanwhile.
        drop(node);
        let node = NodePrograms::start(&config).unwrap();
        stage.within("pods/app", || TcpStream::connect("10.9.1.2:8080").unwrap());
        assert_eq!(node.counters().unwrap().get(Counter::ProbeAnnounced), 3);
        node.set_kubelet(None).unwrap();
    });
}

/// Start of this process in ticks since boot.
fn started_at() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap()
}
