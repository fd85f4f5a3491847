//! A new agent after a killed one.

use std::net::SocketAddr;

use super::stage::*;
use crate::ListenerKind::{Outbound, Plaintext};
use crate::netlink::{Family, Netlink};
use crate::scratch::Scratch;
use crate::{Leave, PodSpec};

fn fwmark_accept(scratch: &Scratch) -> String {
    scratch
        .pod
        .run(|| std::fs::read_to_string("/proc/sys/net/ipv4/tcp_fwmark_accept").unwrap().trim().to_owned())
        .unwrap()
}

#[test]
fn a_killed_agent_leaves_the_pod_closed_and_the_next_one_takes_over() {
    on_stage(|stage| {
        let scratch = Scratch::new().unwrap();
        let first = stage.datapath();
        let pod = first.enrol(spec(&scratch)).unwrap();
        let port = pod.listeners[0].socket.local_addr().unwrap().port();
        // All descriptors go, nothing is cleaned up: what a kill leaves.
        drop((first, pod));
        let server = scratch.remote.run(|| std::net::TcpListener::bind("[::]:7000").unwrap()).unwrap();
        server.set_nonblocking(true).unwrap();
        for (_, remote) in scratch.pairs() {
            assert!(stage.app_connects(&scratch, SocketAddr::new(remote, 7000)).is_err());
        }
        assert!(server.accept().is_err(), "nothing in plaintext while no agent runs");

        let second = stage.datapath();
        let pod = second.enrol(spec(&scratch)).unwrap();
        assert_eq!(pod.listeners[0].socket.local_addr().unwrap().port(), port);
        for (own, remote) in scratch.pairs() {
            let _app = stage.app_connects(&scratch, SocketAddr::new(remote, 7000)).unwrap();
            assert!(agent_accepts(&pod, Outbound).is_some());
            let _client = remote_connects(&scratch, SocketAddr::new(own, 8080)).unwrap();
            assert!(agent_accepts(&pod, Plaintext).is_some());
        }
        assert_eq!(stage.pod_pins().len(), 1);
        assert_eq!(fwmark_accept(&scratch), "1");
        second.unenrol(&pod.uid, Leave::Open).unwrap();
        assert_eq!(fwmark_accept(&scratch), "0", "the value from before the first agent");
        second.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn pods_that_nobody_wants_any_more_are_opened_only_when_told() {
    on_stage(|stage| {
        let scratch = Scratch::new().unwrap();
        let first = stage.datapath();
        let pod = first.enrol(spec(&scratch)).unwrap();
        drop((first, pod));
        let second = stage.datapath();
        let server = scratch.remote.run(|| std::net::TcpListener::bind("0.0.0.0:7000").unwrap()).unwrap();
        let direct = SocketAddr::new(scratch.pairs()[0].1, 7000);
        second.reconcile();
        assert!(stage.app_connects(&scratch, direct).is_err(), "still closed");
        let released = second.release_unclaimed(&[]);
        assert!(released[0].contains("Kubernetes//Pod/test/a"), "{released:?}");
        stage.app_connects(&scratch, direct).unwrap();
        server.accept().unwrap();
        assert_eq!(
            (fwmark_accept(&scratch).as_str(), stage.pod_pins().len(), stage.state_files()),
            ("0", 0, 0)
        );
        assert_eq!(second.release_unclaimed(&[]), [""; 0]);
        second.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn an_agent_killed_in_the_middle_of_an_unenrolment_leaves_no_way_out() {
    on_stage(|stage| {
        for wanted in [false, true] {
            let scratch = Scratch::new().unwrap();
            let first = stage.datapath();
            let pod = first.enrol(spec(&scratch)).unwrap();
            let remote = SocketAddr::new(scratch.pairs()[0].1, 7000);
            let mut app = stage.app_connects(&scratch, remote).unwrap();
            let agents_end = agent_accepts(&pod, Outbound).unwrap();
            socket2::SockRef::from(&agents_end).set_linger(Some(std::time::Duration::ZERO)).unwrap();
            first.stop_capture(&pod.uid).unwrap();
            drop((agents_end, first, pod));
            let rules = || {
                let count = |family| Netlink::new().unwrap().rules(family).unwrap().len();
                scratch.pod.run(|| count(Family::V4) + count(Family::V6)).unwrap()
            };
            assert_eq!((rules(), stage.state_files()), (4, 1), "what is marked stays inside");
            assert!(std::io::Write::write(&mut app, b"x").is_err(), "and the peer is gone");

            let second = stage.datapath();
            if wanted {
                let pod = second.enrol(spec(&scratch)).unwrap();
                let _app = stage.app_connects(&scratch, remote).unwrap();
                assert!(agent_accepts(&pod, Outbound).is_some());
                second.unenrol(&pod.uid, Leave::Open).unwrap();
            } else {
                assert_eq!(second.release_unclaimed(&[]).len(), 1);
            }
            assert_eq!((rules(), stage.state_files(), fwmark_accept(&scratch).as_str()), (0, 0, "0"));
            second.shutdown(Leave::Open).unwrap();
        }
    });
}

#[test]
fn pins_of_a_pod_that_died_with_the_agent_are_collected() {
    on_stage(|stage| {
        let scratch = Scratch::new().unwrap();
        let named = Named::new(stage.directory.path(), &scratch);
        let first = stage.datapath();
        let pod = first.enrol(PodSpec { netns: named.path.clone(), ..spec(&scratch) }).unwrap();
        drop((first, pod));
        named.delete();
        drop(scratch);
        let second = stage.datapath();
        assert!(eventually(|| {
            second.reconcile();
            stage.pod_pins().is_empty()
        }));
        second.release_unclaimed(&[]);
        assert_eq!(stage.state_files(), 0);
        second.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn shutdown_closed_keeps_the_pods_captured() {
    on_stage(|stage| {
        let scratch = Scratch::new().unwrap();
        let first = stage.datapath();
        let _pod = first.enrol(spec(&scratch)).unwrap();
        first.shutdown(Leave::Closed).unwrap();
        drop(first);
        assert_eq!((stage.pod_pins().len(), stage.state_files()), (1, 1));
        let second = stage.datapath();
        assert!(second.node().programs.is_enrolled(scratch.pod.cookie()).unwrap());
        second.shutdown(Leave::Open).unwrap();
        assert_eq!((stage.pod_pins().len(), stage.state_files()), (0, 0));
        assert!(!stage.directory.path().join("bpf/v1").exists(), "all pins are gone");
    });
}

#[test]
fn with_a_holder_connections_wait_for_the_next_agent() {
    on_stage(|stage| {
        let path = stage.directory.path().join("holder.sock");
        let socket = path.clone();
        // It has no end of its own; it ends with the test's process.
        std::thread::spawn(move || crate::hold(&socket, || false));
        assert!(eventually(|| path.exists()));
        let config = crate::Config { holder: Some(path), ..stage.config() };
        let scratch = Scratch::new().unwrap();
        let first = crate::Datapath::start(config.clone()).unwrap();
        let pod = first.enrol(spec(&scratch)).unwrap();
        drop((first, pod));
        let mut waiting = Vec::new();
        for (own, remote) in scratch.pairs() {
            waiting.push(stage.app_connects(&scratch, SocketAddr::new(remote, 7000)).expect("queued"));
            waiting.push(remote_connects(&scratch, SocketAddr::new(own, 8080)).expect("queued"));
        }
        let second = crate::Datapath::start(config).unwrap();
        let pod = second.enrol(spec(&scratch)).unwrap();
        for _ in scratch.pairs() {
            assert!(agent_accepts(&pod, Outbound).is_some());
            assert!(agent_accepts(&pod, Plaintext).is_some());
        }
        second.unenrol(&pod.uid, Leave::Open).unwrap();
        assert!(
            remote_connects(&scratch, SocketAddr::new(scratch.addresses()[0], 8080)).is_err(),
            "the holder let go"
        );
        second.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn held_listeners_are_the_agents_also_where_the_pins_are_lost() {
    on_stage(|stage| {
        let path = stage.directory.path().join("holder.sock");
        let socket = path.clone();
        // It has no end of its own; it ends with the test's process.
        std::thread::spawn(move || crate::hold(&socket, || false));
        assert!(eventually(|| path.exists()));
        let config = crate::Config { holder: Some(path), ..stage.config() };
        let scratch = Scratch::new().unwrap();
        let start = || {
            // sock_ops sees the sockets of an agent below the pods' cgroup.
            stage.agent(|| {
                let datapath = crate::Datapath::start(config.clone()).unwrap();
                let pod = datapath.enrol(spec(&scratch)).unwrap();
                (datapath, pod)
            })
        };
        drop(start());
        // The mark of the agent's sockets is in a map, and the map in bpffs.
        std::fs::remove_dir_all(stage.directory.path().join("bpf/v1")).unwrap();
        let (second, pod) = start();
        for (_, remote) in scratch.pairs() {
            let _app = stage.app_connects(&scratch, SocketAddr::new(remote, 7000)).unwrap();
            assert!(agent_accepts(&pod, Outbound).is_some());
        }
        let counters = second.counters().unwrap();
        let tied = counters.iter().find(|(name, _)| *name == "lo_bound").unwrap().1;
        assert_eq!(tied, 0, "the agent's end of a connection is no delivery to the app");
        second.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn cleaning_up_does_not_touch_a_pod_that_is_being_enrolled() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratches: Vec<Scratch> = (0..10).map(|_| Scratch::new().unwrap()).collect();
        let enrolled = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !enrolled.load(std::sync::atomic::Ordering::Acquire) {
                    assert_eq!(datapath.reconcile().repaired, [""; 0]);
                }
            });
            for (number, scratch) in scratches.iter().enumerate() {
                datapath.enrol(PodSpec { uid: number.to_string(), ..spec(scratch) }).unwrap();
            }
            enrolled.store(true, std::sync::atomic::Ordering::Release);
        });
        assert_eq!((stage.pod_pins().len(), datapath.reconcile().protected), (10, 10));
        datapath.shutdown(Leave::Open).unwrap();
    });
}
