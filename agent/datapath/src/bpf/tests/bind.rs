//! bind4/6 with real binds.

use std::net::SocketAddr;

use weir_ebpf_common::Counter;

use super::stage::{on_stage, socket};

#[test]
fn explicit_ports_of_enrolled_pods_can_be_reused() {
    on_stage(|stage| {
        let node = stage.enrolled();
        let reuse = |cgroup: &str, at: &str| {
            let at: SocketAddr = at.parse().unwrap();
            stage.within(cgroup, || {
                let socket = socket(at.ip());
                socket.bind(&at.into()).unwrap();
                socket.reuse_address().unwrap()
            })
        };
        for (at, expected) in [
            ("0.0.0.0:8080", true),
            ("127.0.0.1:8081", true),
            ("[::]:8082", true),
            ("[::1]:8083", true),
            ("[::ffff:127.0.0.1]:8084", true),
            ("0.0.0.0:0", false),
            ("[::]:0", false),
        ] {
            assert_eq!(reuse("pods/app", at), expected, "{at}");
        }
        assert_eq!(node.counters().unwrap().get(Counter::BindReuse), 5);
        assert!(!reuse("kubelet", "0.0.0.0:8085"), "not in the pods' cgroup");
        node.unenrol(stage.cookie()).unwrap();
        assert!(!reuse("pods/app", "0.0.0.0:8086"), "not enrolled");
    });
}

#[test]
fn port_zero_still_gives_every_socket_its_own() {
    on_stage(|stage| {
        let _node = stage.enrolled();
        let ports = stage.within("pods/app", || {
            let listeners: Vec<_> =
                (0..100).map(|_| std::net::TcpListener::bind("0.0.0.0:0").unwrap()).collect();
            listeners
                .iter()
                .map(|l| l.local_addr().unwrap().port())
                .collect::<std::collections::BTreeSet<_>>()
        });
        assert_eq!(ports.len(), 100);
    });
}
