//! Enrol, un-enrol, deletion, and what is refused.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;

use super::stage::*;
use crate::ListenerKind::Outbound;
use crate::netlink::{Family, Netlink};
use crate::scratch::Scratch;
use crate::{DatapathError, Leave, PodSpec};

/// All that Weir may leave in a namespace.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    rules: Vec<String>,
    routes: Vec<String>,
    sysctls: BTreeMap<&'static str, String>,
}

fn traces(scratch: &Scratch) -> Traces {
    let names = [
        "ipv4/tcp_fwmark_accept",
        "ipv4/fwmark_reflect",
        "ipv6/fwmark_reflect",
        "ipv4/tcp_migrate_req",
        "core/somaxconn",
    ];
    scratch
        .pod
        .run(|| {
            let mut netlink = Netlink::new().unwrap();
            let mut traces = Traces { rules: Vec::new(), routes: Vec::new(), sysctls: BTreeMap::new() };
            for family in [Family::V4, Family::V6] {
                traces.rules.extend(netlink.rules(family).unwrap().iter().map(|rule| rule.describe()));
                traces.routes.extend(
                    netlink.routes(family).unwrap().iter().map(|found| found.route.unwrap().describe()),
                );
            }
            for name in names {
                traces.sysctls.insert(
                    name,
                    std::fs::read_to_string(format!("/proc/sys/net/{name}")).unwrap().trim().to_owned(),
                );
            }
            traces.rules.sort();
            traces.routes.sort();
            traces
        })
        .unwrap()
}

#[test]
fn unenrol_leaves_nothing() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        scratch.pod.run(|| std::fs::write("/proc/sys/net/core/somaxconn", "128").unwrap()).unwrap();
        let before = traces(&scratch);
        assert_eq!((before.rules.len(), before.routes.len()), (0, 0));
        let pod = datapath.enrol(spec(&scratch)).unwrap();
        let during = traces(&scratch);
        assert_eq!(
            during.rules,
            [
                "ip -4 rule pref 100 fwmark 0x57454952 lookup 22341",
                "ip -4 rule pref 101 fwmark 0x57454952 blackhole",
                "ip -6 rule pref 100 fwmark 0x57454952 lookup 22341",
                "ip -6 rule pref 101 fwmark 0x57454952 blackhole",
            ]
        );
        assert_eq!(during.routes.len(), 4, "{:?}", during.routes);
        assert_eq!(
            during.sysctls.values().map(String::as_str).collect::<Vec<_>>(),
            ["4096", "1", "1", "1", "1"]
        );
        assert_eq!((stage.pod_pins().len(), stage.state_files()), (1, 1));

        datapath.unenrol(&spec(&scratch).uid, Leave::Open).unwrap();
        assert_eq!(traces(&scratch), before);
        assert_eq!((stage.pod_pins().len(), stage.state_files()), (0, 0));
        assert!(!datapath.node().programs.is_enrolled(pod.netns_cookie).unwrap());
        let server = scratch.remote.run(|| std::net::TcpListener::bind("0.0.0.0:7000").unwrap()).unwrap();
        stage.app_connects(&scratch, SocketAddr::new(scratch.pairs()[0].1, 7000)).unwrap();
        server.accept().unwrap();
        assert!(matches!(
            datapath.unenrol(&spec(&scratch).uid, Leave::Open),
            Err(DatapathError::NoSuchPod { .. })
        ));
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn a_captured_connection_never_outlives_the_rules() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        let mut pod = datapath.enrol(spec(&scratch)).unwrap();
        for (_, remote) in scratch.pairs() {
            let mut app = stage.app_connects(&scratch, SocketAddr::new(remote, 80)).unwrap();
            let _forgotten_by_the_agent = agent_accepts(&pod, Outbound).unwrap();
            app.set_read_timeout(Some(LONG)).unwrap();
            datapath.unenrol(&pod.uid, Leave::Open).unwrap();
            let error = app.read(&mut [0]).unwrap_err();
            assert!(matches!(error.raw_os_error(), Some(libc::ECONNRESET | libc::ECONNABORTED)), "{error}");
            assert_eq!(traces(&scratch).rules, [""; 0], "the guard rule could go");
            pod = datapath.enrol(spec(&scratch)).unwrap();
        }
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn a_pod_left_closed_drops_and_can_be_enrolled_again() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        let _ = datapath.enrol(spec(&scratch)).unwrap();
        datapath.unenrol(&spec(&scratch).uid, Leave::Closed).unwrap();
        let _server = scratch.remote.run(|| std::net::TcpListener::bind("[::]:7000").unwrap()).unwrap();
        for (_, remote) in scratch.pairs() {
            assert!(stage.app_connects(&scratch, SocketAddr::new(remote, 7000)).is_err(), "nothing gets out");
        }
        let pod = datapath.enrol(spec(&scratch)).unwrap();
        let _app = stage.app_connects(&scratch, SocketAddr::new(scratch.pairs()[0].1, 7000)).unwrap();
        assert!(agent_accepts(&pod, Outbound).is_some());
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn a_deleted_pod_is_let_go_at_once() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        let named = Named::new(stage.directory.path(), &scratch);
        let mut pod = datapath.enrol(PodSpec { netns: named.path.clone(), ..spec(&scratch) }).unwrap();
        named.delete();
        let closed = |pod: &mut crate::EnrolledPod| {
            matches!(pod.new_listeners.try_recv(), Err(tokio::sync::mpsc::error::TryRecvError::Disconnected))
        };
        assert!(eventually(|| closed(&mut pod)), "the channel ends without a reconcile");
        assert_eq!(
            pod.sockets.dial(SocketAddr::new(scratch.pairs()[0].1, 80)).unwrap_err().kind(),
            std::io::ErrorKind::NotConnected
        );
        assert!(eventually(|| stage.pod_pins().is_empty() && stage.state_files() == 0));
        assert!(!datapath.node().programs.is_enrolled(pod.netns_cookie).unwrap());
        assert_eq!(datapath.reconcile(), crate::Report::default());
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn enrolling_twice_updates_and_hands_out_again() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        let mut first = datapath.enrol(spec(&scratch)).unwrap();
        let second = datapath.enrol(PodSpec { probe_ports: vec![9090], ..spec(&scratch) }).unwrap();
        assert_eq!(second.listeners.len(), first.listeners.len());
        assert_eq!(
            first.listeners[0].socket.local_addr().unwrap(),
            second.listeners[0].socket.local_addr().unwrap()
        );
        assert!(matches!(
            first.new_listeners.try_recv(),
            Err(tokio::sync::mpsc::error::TryRecvError::Disconnected)
        ));
        drop(first);
        let _app = stage.app_connects(&scratch, SocketAddr::new(scratch.pairs()[0].1, 80)).unwrap();
        assert!(agent_accepts(&second, Outbound).is_some());
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn a_pod_made_again_in_a_new_namespace_replaces_the_old_one() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let (old, new) = (Scratch::new().unwrap(), Scratch::new().unwrap());
        let first = datapath.enrol(spec(&old)).unwrap();
        let second = datapath.enrol(spec(&new)).unwrap();
        assert_ne!(first.netns_cookie, second.netns_cookie);
        assert!(!datapath.node().programs.is_enrolled(first.netns_cookie).unwrap());
        assert_eq!(stage.pod_pins().len(), 1);
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn namespaces_that_must_not_be_enrolled_are_refused() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        let try_path =
            |path: &str| datapath.enrol(PodSpec { netns: path.into(), ..spec(&scratch) }).unwrap_err();
        // Pid 1 may be closed even to root; the kernel's threads live where it does.
        if let Some(host) =
            ["/proc/1/ns/net", "/proc/2/ns/net"].into_iter().find(|path| std::fs::File::open(path).is_ok())
        {
            assert!(matches!(try_path(host), DatapathError::HostNetns { whose: "the host", .. }));
        }
        assert!(matches!(
            try_path("/proc/thread-self/ns/net"),
            DatapathError::HostNetns { whose: "this agent", .. }
        ));
        assert!(matches!(try_path("/nowhere"), DatapathError::OpenNetns { .. }));
        assert!(matches!(try_path("/proc/self/ns/mnt"), DatapathError::OpenNetns { .. }));
        assert!(matches!(try_path("/etc/hostname"), DatapathError::OpenNetns { .. }));
        let foreign = PodSpec { addresses: vec!["10.99.99.99".parse().unwrap()], ..spec(&scratch) };
        let error = datapath.enrol(foreign).unwrap_err();
        assert!(matches!(error, DatapathError::NoDeclaredAddress { .. }), "{error}");
        assert!(error.to_string().contains("192.0.2.2"), "it says what is there: {error}");
        let _pod = datapath.enrol(spec(&scratch)).unwrap();
        let other = PodSpec { uid: "Kubernetes//Pod/test/b".into(), ..spec(&scratch) };
        assert!(matches!(datapath.enrol(other).unwrap_err(), DatapathError::NetnsTaken { .. }));
        datapath.shutdown(Leave::Open).unwrap();
        assert_eq!(stage.state_files(), 0);
    });
}

#[test]
fn many_pods_cost_little_each() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratches: Vec<Scratch> = (0..20).map(|_| Scratch::new().unwrap()).collect();
        let begin = std::time::Instant::now();
        let pods: Vec<_> = scratches
            .iter()
            .enumerate()
            .map(|(number, scratch)| {
                datapath.enrol(PodSpec { uid: number.to_string(), ..spec(scratch) }).unwrap()
            })
            .collect();
        let enrolled = begin.elapsed() / 20;
        let begin = std::time::Instant::now();
        assert_eq!(datapath.reconcile().protected, 20);
        let looked_at = begin.elapsed() / 20;
        let destination = SocketAddr::new(scratches[0].pairs()[0].1, 80);
        let begin = std::time::Instant::now();
        for _ in 0..1000 {
            pods[0].sockets.dial(destination).unwrap();
        }
        let dialled = begin.elapsed() / 1000;
        let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().count();
        eprintln!(
            "per pod: enrol {enrolled:?}, reconcile {looked_at:?}; dial {dialled:?}; {descriptors} descriptors with 20 pods"
        );
        datapath.shutdown(Leave::Open).unwrap();
    });
}
