//! A pod's sk_lookup instance: attach, adopt, update, collect what is left; and one real connection through it.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use weir_ebpf_common::{FlowTuple, slots};

use super::pick::{Pick, pick};
use super::stage::{OWN, Stage, add_address, agent_listener, cookie, eventually, ip, on_stage, sysctl};
use crate::bpf::{NodePrograms, PinnedPod, PodProgram, list_pinned_pods, remove_pinned_pod, sys};

fn attached(stage: &Stage) -> Vec<u32> {
    sys::attached_programs(stage.netns.as_fd(), sys::attach::SK_LOOKUP).unwrap()
}

fn outbound() -> FlowTuple {
    let addr = |text: &str| text.parse::<IpAddr>().unwrap().into();
    FlowTuple { local: addr("10.96.0.10"), remote: addr(OWN[0]), local_port: 80, remote_port: 40_000 }
}

#[test]
fn a_restarted_agent_adopts_its_pods() {
    on_stage(|stage| {
        let node = NodePrograms::start(&stage.config()).unwrap();
        let pods = node.pods().unwrap();
        let mut first = pods.load("a", stage.netns.as_fd()).unwrap();
        assert!(!first.adopted() && !first.alive(), "fresh, and not attached before it is told to");
        first.own_add(OWN[0].parse().unwrap()).unwrap();
        let listener = agent_listener(61000);
        first.set_slot(slots::outbound(0), &listener).unwrap();
        first.set_workers(1).unwrap();
        first.attach().unwrap();
        first.attach().unwrap();
        assert!(first.alive());
        let before = attached(stage);
        assert_eq!(before.len(), 1);
        drop(first);
        assert_eq!(attached(stage), before, "the link outlives the agent");

        let mut second = pods.load("a", stage.netns.as_fd()).unwrap();
        assert!(second.adopted() && second.alive());
        let after = attached(stage);
        assert!(after.len() == 1 && after != before, "one program, the new agent's: {before:?} {after:?}");
        assert_eq!(second.own().unwrap(), [OWN[0].parse::<IpAddr>().unwrap()]);
        assert_eq!(pick(&second, &outbound()), Pick::Socket(cookie(&listener)), "slots survive");
        second.detach_and_unpin().unwrap();
        assert!(attached(stage).is_empty() && !second.alive());
        assert_eq!(list_pinned_pods(&stage.root()).unwrap(), []);
    });
}

#[test]
fn pins_of_another_namespace_are_not_adopted() {
    on_stage(|stage| {
        let node = NodePrograms::start(&stage.config()).unwrap();
        let pods = node.pods().unwrap();
        let mut old = pods.load("a", stage.netns.as_fd()).unwrap();
        old.own_add("10.1.1.1".parse().unwrap()).unwrap();
        old.attach().unwrap();
        drop(old);
        let other = other_namespace();
        let pod = pods.load("a", other.as_fd()).unwrap();
        assert!(!pod.adopted());
        assert_eq!(pod.own().unwrap(), Vec::<IpAddr>::new(), "nothing of the old pod's");
        assert!(eventually(|| attached(stage).is_empty()), "the old link went with its pin");
    });
}

#[test]
fn a_stray_instance_does_not_stay_beside_the_new_one() {
    on_stage(|stage| {
        let node = NodePrograms::start(&stage.config()).unwrap();
        let pods = node.pods().unwrap();
        let mut stray = pods.load("a", stage.netns.as_fd()).unwrap();
        stray.attach().unwrap();
        // Its pins are lost, but an agent still holds it.
        remove_pinned_pod(&stage.root(), "a").unwrap();
        assert!(!stray.alive(), "unpinned is not alive: it would not survive the agent");
        let mut pod = pods.load("b", stage.netns.as_fd()).unwrap();
        assert_eq!(attached(stage).len(), 1);
        pod.attach().unwrap();
        assert_eq!(attached(stage).len(), 1);
        assert!(pod.alive());
    });
}

#[test]
fn a_pod_whose_pin_is_lost_attaches_again() {
    on_stage(|stage| {
        let node = NodePrograms::start(&stage.config()).unwrap();
        let mut pod = node.pods().unwrap().load("a", stage.netns.as_fd()).unwrap();
        pod.attach().unwrap();
        std::fs::remove_file(stage.root().join("pods/a/link")).unwrap();
        assert!(!pod.alive());
        pod.attach().unwrap();
        assert!(pod.alive());
        assert_eq!(attached(stage).len(), 1);
    });
}

#[test]
fn pins_of_deleted_namespaces_can_be_found() {
    on_stage(|stage| {
        let node = NodePrograms::start(&stage.config()).unwrap();
        let pods = node.pods().unwrap();
        let mut here = pods.load("here", stage.netns.as_fd()).unwrap();
        here.attach().unwrap();
        let other = other_namespace();
        let mut gone = pods.load("gone", other.as_fd()).unwrap();
        gone.attach().unwrap();
        drop((gone, other));
        let ino = std::os::unix::fs::MetadataExt::ino(&stage.netns.metadata().unwrap()) as u32;
        let expected = [
            PinnedPod { name: "gone".to_owned(), netns_ino: 0 },
            PinnedPod { name: "here".to_owned(), netns_ino: ino },
        ];
        assert!(
            eventually(|| list_pinned_pods(&stage.root()).unwrap() == expected),
            "{:?}",
            list_pinned_pods(&stage.root())
        );
        remove_pinned_pod(&stage.root(), "gone").unwrap();
        assert_eq!(list_pinned_pods(&stage.root()).unwrap().len(), 1);
    });
}

/// Routes for the whole outbound way in one namespace: mark, rule, local route, sk_lookup, transparent listener.
fn routes() {
    add_address("10.9.1.2");
    add_address("fd09::2");
    for family in ["", "-6 "] {
        ip(&format!("{family}rule add pref 100 fwmark 0x57454952 lookup 22341"));
    }
    ip("route add local default dev lo src 10.9.1.2 metric 100 table 22341");
    ip("-6 route add local default dev lo src fd09::2 metric 100 table 22341");
}

/// A pod with one worker whose outbound listener is this one.
fn outbound_pod(stage: &Stage, node: &NodePrograms, listener: &TcpListener) -> PodProgram {
    let pod = node.pods().unwrap().load("a", stage.netns.as_fd()).unwrap();
    for ip in OWN {
        pod.own_add(ip.parse().unwrap()).unwrap();
    }
    node.tag_listener(listener).unwrap();
    pod.set_slot(slots::outbound(0), listener).unwrap();
    pod.set_workers(1).unwrap();
    pod
}

/// The program of a pod is replaced by adoption and the listener by another, under load.
#[test]
fn no_connection_fails_while_programs_and_listeners_change() {
    on_stage(|stage| {
        routes();
        let node = stage.enrolled();
        sysctl("net/ipv4/tcp_migrate_req", "1");
        let mut listener = agent_listener(61000);
        outbound_pod(stage, &node, &listener).attach().unwrap();
        let (stop, count) = (AtomicBool::new(false), AtomicU32::new(0));
        std::thread::scope(|scope| {
            let app = scope.spawn(|| {
                stage.within("pods/app", || {
                    for destination in ["10.96.0.10:80", "[fd96::10]:80"].iter().cycle() {
                        let at: SocketAddr = destination.parse().unwrap();
                        let client = TcpStream::connect_timeout(&at, Duration::from_secs(2)).unwrap();
                        // The agent writes one byte to what it accepts; a reset would be a lost connection.
                        (&client).read_exact(&mut [0; 1]).unwrap();
                        count.fetch_add(1, Ordering::Relaxed);
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                });
            });
            // So many connections, or until the app is through.
            let accept = |listener: &TcpListener, more: u32| {
                listener.set_nonblocking(true).unwrap();
                let enough = count.load(Ordering::Relaxed) + more;
                while count.load(Ordering::Relaxed) < enough && !app.is_finished() {
                    if let Ok((mut stream, _)) = listener.accept() {
                        stream.write_all(b"x").unwrap();
                    }
                }
            };
            for _ in 0..20 {
                accept(&listener, 6);
                let next = agent_listener(61000);
                let pod = outbound_pod(stage, &node, &next);
                assert!(pod.adopted() && pod.alive());
                // What waits in the old one's queue moves to the new one.
                listener = next;
            }
            stop.store(true, Ordering::Relaxed);
            while !app.is_finished() {
                accept(&listener, 1);
            }
            app.join().unwrap();
        });
        assert!(count.load(Ordering::Relaxed) > 100, "{count:?} connections");
        assert_eq!(attached(stage).len(), 1);
    });
}

#[test]
fn a_captured_connection_reaches_the_agent_with_its_destination() {
    on_stage(|stage| {
        routes();
        let node = stage.enrolled();
        let listener = agent_listener(61000);
        outbound_pod(stage, &node, &listener).attach().unwrap();
        for destination in ["10.96.0.10:80", "[fd96::10]:443", "[::ffff:10.96.0.11]:80"] {
            let destination: SocketAddr = destination.parse().unwrap();
            stage.within("pods/app", || {
                let mut client = std::net::TcpStream::connect(destination).unwrap();
                let (mut agent, from) = listener.accept().unwrap();
                let canonical = |addr: SocketAddr| SocketAddr::new(addr.ip().to_canonical(), addr.port());
                assert_eq!(canonical(agent.local_addr().unwrap()), canonical(destination));
                assert_eq!(client.peer_addr().unwrap(), destination);
                assert_eq!(canonical(from), canonical(client.local_addr().unwrap()));
                client.write_all(b"ping").unwrap();
                let mut buffer = [0; 4];
                agent.read_exact(&mut buffer).unwrap();
                assert_eq!(&buffer, b"ping");
                assert_eq!(
                    socket2::SockRef::from(&agent).device().unwrap(),
                    None,
                    "the agent's child is not tied to lo"
                );
            });
        }
        // The agent is gone: its listener is closed, the link stays.
        drop(listener);
        let error = stage
            .within("pods/app", || {
                let destination = "10.96.0.10:80".parse().unwrap();
                std::net::TcpStream::connect_timeout(&destination, std::time::Duration::from_millis(200))
            })
            .unwrap_err();
        assert!(
            matches!(error.kind(), std::io::ErrorKind::TimedOut | std::io::ErrorKind::ConnectionRefused),
            "{error}"
        );
    });
}

/// A fresh namespace that nobody is in.
fn other_namespace() -> std::fs::File {
    std::thread::spawn(|| {
        // SAFETY: concerns this thread alone, no memory is touched.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.unwrap();
        std::fs::File::open("/proc/thread-self/ns/net").unwrap()
    })
    .join()
    .unwrap()
}
