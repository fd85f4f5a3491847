//! Reconcile puts back each artefact that somebody removed.

use std::net::SocketAddr;
use std::sync::Arc;

use super::stage::*;
use crate::ListenerKind::{Outbound, Plaintext};
use crate::datapath::lock;
use crate::layout::{METRIC_INTERFACE, METRIC_LOOPBACK};
use crate::netlink::{Family, Netlink, Rule, RuleKind};
use crate::pod::Pod;
use crate::scratch::Scratch;
use crate::{Datapath, EnrolledPod, Leave};

type Damage = fn(&Datapath, &Scratch, &mut Pod);

const DAMAGES: &[(&str, Damage)] = &[
    ("ip -4 rule pref 100", |_, scratch, _| remove_rule(scratch, Family::V4, RuleKind::Capture)),
    ("ip -6 rule pref 100", |_, scratch, _| remove_rule(scratch, Family::V6, RuleKind::Capture)),
    ("ip -4 rule pref 101", |_, scratch, _| remove_rule(scratch, Family::V4, RuleKind::Guard)),
    ("ip -6 rule pref 101", |_, scratch, _| remove_rule(scratch, Family::V6, RuleKind::Guard)),
    ("ip -4 route local default dev #1", |_, scratch, _| remove_route(scratch, Family::V4, METRIC_LOOPBACK)),
    ("ip -6 route local default dev #1", |_, scratch, _| remove_route(scratch, Family::V6, METRIC_LOOPBACK)),
    ("metric 200", |_, scratch, _| remove_route(scratch, Family::V4, METRIC_INTERFACE)),
    ("tcp_fwmark_accept", |_, scratch, _| zero(scratch, "ipv4/tcp_fwmark_accept")),
    ("ipv4/fwmark_reflect", |_, scratch, _| zero(scratch, "ipv4/fwmark_reflect")),
    ("ipv6/fwmark_reflect", |_, scratch, _| zero(scratch, "ipv6/fwmark_reflect")),
    ("tcp_migrate_req", |_, scratch, _| zero(scratch, "ipv4/tcp_migrate_req")),
    ("slot 0", |_, _, pod| pod.program.clear_slot(0).unwrap()),
    ("slot 16", |_, _, pod| pod.program.clear_slot(16).unwrap()),
    ("slot 33", |_, _, pod| pod.program.set_slot(33, &pod.listeners[0].socket).unwrap()),
    ("address 192.0.2.2", |_, scratch, pod| pod.program.own_remove(scratch.addresses()[0]).unwrap()),
    ("address 192.0.2.99 forgotten", |_, _, pod| pod.program.own_add("192.0.2.99".parse().unwrap()).unwrap()),
    ("interface #", |_, _, pod| {
        let index = pod.numbers.indexes()[0];
        pod.program.remove_interface(index).unwrap();
    }),
    ("sk_lookup link", |_, _, pod| pod.program.detach_and_unpin().unwrap()),
    ("enrolled cookie", |datapath, scratch, _| {
        datapath.node().programs.unenrol(scratch.pod.cookie()).unwrap()
    }),
    ("Outbound listener", |_, _, pod| crate::listener::end(&pod.listeners[0].socket)),
];

fn remove_rule(scratch: &Scratch, family: Family, kind: RuleKind) {
    scratch.pod.run(|| Netlink::new().unwrap().remove_rule(Rule { family, kind }).unwrap()).unwrap();
}

fn remove_route(scratch: &Scratch, family: Family, metric: u32) {
    scratch
        .pod
        .run(|| {
            let mut netlink = Netlink::new().unwrap();
            let routes = netlink.routes(family).unwrap();
            let found = routes.iter().find(|found| found.route.unwrap().metric == metric).unwrap();
            netlink.remove_route(found).unwrap();
        })
        .unwrap();
}

fn zero(scratch: &Scratch, sysctl: &str) {
    scratch.pod.run(|| std::fs::write(format!("/proc/sys/net/{sysctl}"), "0").unwrap()).unwrap();
}

/// Both directions work.
fn works(stage: &Stage, scratch: &Scratch, pod: &EnrolledPod) {
    for (own, remote) in scratch.pairs() {
        let _app = stage.app_connects(scratch, SocketAddr::new(remote, 80)).unwrap();
        assert!(agent_accepts(pod, Outbound).is_some());
        let app = SocketAddr::new(own, 8080);
        let listener = stage.app_listens(scratch, app);
        let _client = remote_connects(scratch, app).unwrap();
        assert!(agent_accepts(pod, Plaintext).is_some());
        deliver(pod, remote, app).unwrap();
        assert_eq!(listener.accept().unwrap().1.ip(), remote);
        assert_eq!(
            deliver(pod, remote, SocketAddr::new(own, 9)).unwrap_err().kind(),
            std::io::ErrorKind::ConnectionRefused
        );
    }
}

#[test]
fn each_artefact_is_repaired() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        let mut pod = datapath.enrol(spec(&scratch)).unwrap();
        let inner: Arc<_> = datapath.node().pod(&pod.uid).unwrap();
        assert_eq!(
            datapath.reconcile(),
            crate::Report { protected: 1, ..Default::default() },
            "nothing to repair at first"
        );
        // The watcher would repair rules before this test can see reconcile do it.
        datapath.watcher().stop();
        for (name, damage) in DAMAGES {
            damage(&datapath, &scratch, &mut lock(&inner));
            let report = datapath.reconcile();
            assert!(report.repaired.iter().any(|line| line.contains(name)), "{name}: {report:?}");
            assert_eq!((report.protected, report.unprotected.len()), (1, 0), "{name}: {report:?}");
            while let Ok(listener) = pod.new_listeners.try_recv() {
                pod.listeners.push(listener);
            }
            works(stage, &scratch, &pod);
            let again = datapath.reconcile();
            assert_eq!(again.repaired, [""; 0], "{name}: once is enough");
        }
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn a_removed_rule_is_put_back_without_waiting_for_reconcile() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        let _pod = datapath.enrol(spec(&scratch)).unwrap();
        for family in [Family::V4, Family::V6] {
            remove_rule(&scratch, family, RuleKind::Capture);
            let rules = || scratch.pod.run(|| Netlink::new().unwrap().rules(family).unwrap().len()).unwrap();
            assert!(eventually(|| rules() == 2));
        }
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn a_pod_that_lost_its_addresses_is_unprotected_with_the_reason() {
    on_pod(|_stage, scratch, datapath, pod| {
        scratch
            .pod
            .run(|| {
                let mut netlink = Netlink::new().unwrap();
                let eth0 = netlink.index_of("eth0").unwrap();
                netlink.remove_link(eth0).unwrap();
            })
            .unwrap();
        let report = datapath.reconcile();
        assert_eq!(report.protected, 0);
        assert!(report.unprotected[0].1.contains("none of its addresses"), "{report:?}");
        assert_eq!(report.unprotected[0].0, pod.uid);
    });
}

#[test]
fn a_ninth_interface_is_said_to_be_refused() {
    use std::os::fd::AsFd;
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        for number in 1..9 {
            let name = format!("net{number}");
            scratch
                .pod
                .run(|| {
                    let mut netlink = Netlink::new().unwrap();
                    netlink.add_veth(&name, &name, scratch.remote.as_fd()).unwrap();
                    let index = netlink.index_of(&name).unwrap();
                    netlink.set_up(index, true).unwrap();
                    netlink.add_address(index, format!("198.51.100.{number}").parse().unwrap(), 32).unwrap();
                })
                .unwrap();
        }
        let _pod = datapath.enrol(spec(&scratch)).unwrap();
        let report = datapath.reconcile();
        assert!(report.unprotected[0].1.contains("net8"), "{report:?}");
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn a_pod_whose_processes_the_hooks_do_not_see_is_unprotected() {
    on_pod(|stage, scratch, datapath, pod| {
        let mut process =
            scratch.pod.run(|| std::process::Command::new("sleep").arg("60").spawn().unwrap()).unwrap();
        let outside = datapath.reconcile();
        std::fs::write(stage.pods_cgroup.join("cgroup.procs"), process.id().to_string()).unwrap();
        let inside = datapath.reconcile();
        process.kill().unwrap();
        process.wait().unwrap();
        let (uid, why) = &outside.unprotected[0];
        assert!(*uid == pod.uid && why.contains("(sleep)") && why.contains("outside"), "{outside:?}");
        assert_eq!((inside.protected, inside.unprotected.len()), (1, 0), "{inside:?}");
    });
}

#[test]
fn the_guard_comes_back_whatever_else_fails() {
    use rustix::mount::{MountFlags, mount, unmount};
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        let _pod = datapath.enrol(spec(&scratch)).unwrap();
        zero(&scratch, "ipv4/tcp_fwmark_accept");
        // Read-only would not do: the agent has a procfs of its own for that.
        mount("none", "/proc/sys", "tmpfs", MountFlags::empty(), None).unwrap();
        std::fs::create_dir_all("/proc/sys/net/ipv6").unwrap();
        for family in [Family::V4, Family::V6] {
            remove_rule(&scratch, family, RuleKind::Capture);
            remove_rule(&scratch, family, RuleKind::Guard);
        }
        let report = datapath.reconcile();
        assert!(report.unprotected.iter().any(|(_, why)| why.contains("tcp_fwmark_accept")), "{report:?}");
        for family in [Family::V4, Family::V6] {
            let rules = scratch.pod.run(|| Netlink::new().unwrap().rules(family).unwrap()).unwrap();
            assert!(rules.contains(&Rule { family, kind: RuleKind::Guard }), "{rules:?}");
        }
        unmount("/proc/sys", rustix::mount::UnmountFlags::DETACH).unwrap();
        let report = datapath.reconcile();
        assert_eq!((report.protected, report.unprotected.len()), (1, 0), "{report:?}");
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn the_first_pod_of_a_cgroup_that_was_made_anew_is_captured() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        // What a kubelet does when the last pod of a node goes and the next one comes. The directory is busy while
        // the kernel still lets go of threads that ended.
        assert!(eventually(|| std::fs::remove_dir(&stage.pods_cgroup).is_ok()));
        std::fs::create_dir(&stage.pods_cgroup).unwrap();
        std::fs::write(stage.pods_cgroup.join("cgroup.type"), "threaded").unwrap();
        let scratch = Scratch::new().unwrap();
        let pod = datapath.enrol(spec(&scratch)).unwrap();
        for (_, remote) in scratch.pairs() {
            let _app = stage.app_connects(&scratch, SocketAddr::new(remote, 4321)).unwrap();
            assert!(agent_accepts(&pod, Outbound).is_some(), "captured on the way to {remote}");
        }
        datapath.shutdown(Leave::Open).unwrap();
    });
}
