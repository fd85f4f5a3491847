//! Load, attach, pin, adopt, update in place, repair, detach.

use std::{
    fs::File,
    net::SocketAddr,
    os::fd::AsFd,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use aya::maps::{HashMap, MapData};

use super::stage::{Stage, eventually, on_stage, socket, try_connect};
use crate::bpf::{BpfError, Config, Fault, NodePrograms, link::Link, pins, sys};
use crate::config::Kubelet;

const PODS_HOOKS: [(&str, u32); 5] = [
    ("sock_ops", sys::attach::SOCK_OPS),
    ("bind4", sys::attach::BIND4),
    ("bind6", sys::attach::BIND6),
    ("connect4", sys::attach::CONNECT4),
    ("connect6", sys::attach::CONNECT6),
];

/// (hook, programs on the pods' cgroup) for every hook.
fn attached(stage: &Stage) -> Vec<(&'static str, Vec<u32>)> {
    let dir = File::open(stage.cgroup.join("pods")).unwrap();
    PODS_HOOKS.map(|(name, kind)| (name, sys::attached_programs(dir.as_fd(), kind).unwrap())).to_vec()
}

fn link_id(stage: &Stage, hook: &str) -> u32 {
    Link::open(&pins::link(&stage.root(), hook)).unwrap().unwrap().info().unwrap().id
}

fn whats(faults: &[Fault]) -> Vec<&'static str> {
    faults.iter().map(|fault| fault.what).collect()
}

#[test]
fn an_agent_takes_over_what_another_left() {
    on_stage(|stage| {
        let first = NodePrograms::start(&stage.config()).unwrap();
        assert_eq!(first.verify(), []);
        first.enrol(4711).unwrap();
        drop(first);
        let before = attached(stage);
        assert!(before.iter().all(|(_, programs)| programs.len() == 1), "{before:?}");
        let links = PODS_HOOKS.map(|(name, _)| link_id(stage, name));

        let second = NodePrograms::start(&stage.config()).unwrap();
        assert_eq!(second.verify(), []);
        assert!(second.is_enrolled(4711).unwrap(), "state survives the agent");
        assert_eq!(PODS_HOOKS.map(|(name, _)| link_id(stage, name)), links, "same links");
        for ((hook, old), (_, new)) in before.iter().zip(attached(stage)) {
            assert_eq!(new.len(), 1, "{hook}: one program, not two");
            assert_ne!(*old, new, "{hook}: the new agent's program runs");
        }
        second.detach_all().unwrap();
        assert!(!stage.root().exists(), "no pins are left");
        assert!(
            eventually(|| attached(stage).iter().all(|(_, programs)| programs.is_empty())),
            "{:?}",
            attached(stage)
        );
    });
}

#[test]
fn a_pinned_map_of_another_layout_is_refused() {
    on_stage(|stage| {
        pins::prepare(&stage.root()).unwrap();
        let path = stage.root().join("maps/ENROLLED");
        let foreign: HashMap<MapData, u64, [u64; 4]> = HashMap::create(4096, 0).unwrap();
        foreign.pin(&path).unwrap();
        let error = NodePrograms::start(&stage.config()).unwrap_err();
        assert!(matches!(&error, BpfError::Layout { path: at, .. } if *at == path), "{error}");
        let text = error.to_string();
        assert!(text.contains("value 32 B") && text.contains("value 4 B"), "{text}");
        assert!(attached(stage).iter().all(|(_, programs)| programs.is_empty()), "nothing was attached");
    });
}

/// A map that an agent of before did not have is made; those that it had are kept.
#[test]
fn pins_of_an_agent_that_had_fewer_maps_are_taken_over() {
    on_stage(|stage| {
        let first = NodePrograms::start(&stage.config()).unwrap();
        first.enrol(4711).unwrap();
        drop(first);
        std::fs::remove_file(stage.root().join("maps/KUBELETS")).unwrap();
        let second = NodePrograms::start(&stage.config()).unwrap();
        assert_eq!(second.verify(), []);
        assert!(second.is_enrolled(4711).unwrap());
        second.set_kubelet(Some((1, 1))).unwrap();
    });
}

#[test]
fn what_is_broken_is_found_and_repaired() {
    on_stage(|stage| {
        let node = NodePrograms::start(&stage.config()).unwrap();
        // Somebody detaches one link and removes the pin of another.
        Link::open(&pins::link(&stage.root(), "connect4")).unwrap().unwrap().detach("connect4").unwrap();
        std::fs::remove_file(pins::link(&stage.root(), "bind6")).unwrap();
        assert_eq!(whats(&node.verify()), ["bind6", "connect4"]);
        assert_eq!(whats(&node.repair().unwrap()), ["bind6", "connect4"]);
        assert_eq!(node.verify(), []);
        assert!(
            eventually(|| attached(stage).iter().all(|(_, programs)| programs.len() == 1)),
            "{:?}",
            attached(stage)
        );

        // The kubelet restarts and its cgroup is made anew.
        stage.remove_cgroup("kubelet");
        assert_eq!(whats(&node.verify()), ["kubelet"]);
        assert!(node.repair().is_err(), "there is nothing to attach to");
        stage.make_cgroup("kubelet");
        assert_eq!(whats(&node.verify()), ["kubelet"]);
        assert_eq!(whats(&node.repair().unwrap()), ["kubelet"]);
        assert_eq!(node.verify(), []);
    });
}

#[test]
fn a_link_of_another_attach_type_is_not_adopted() {
    on_stage(|stage| {
        drop(NodePrograms::start(&stage.config()).unwrap());
        // The kernel itself would run the connect4 program at bind4 when told to update this link.
        let (bind4, connect4) = (pins::link(&stage.root(), "bind4"), pins::link(&stage.root(), "connect4"));
        std::fs::remove_file(&connect4).unwrap();
        std::fs::rename(&bind4, &connect4).unwrap();
        let node = NodePrograms::start(&stage.config()).unwrap();
        assert_eq!(node.verify(), []);
        assert!(
            eventually(|| attached(stage).iter().all(|(_, programs)| programs.len() == 1)),
            "{:?}",
            attached(stage)
        );
    });
}

#[test]
fn a_kubelet_cgroup_that_is_missing_is_no_reason_to_stop() {
    on_stage(|stage| {
        let config = Config { kubelet: Kubelet::Cgroup(stage.cgroup.join("nobody")), ..stage.config() };
        let node = NodePrograms::start(&config).unwrap();
        assert_eq!(whats(&node.verify()), ["kubelet"]);
    });
}

#[test]
fn wrong_directories_are_named() {
    on_stage(|stage| {
        let elsewhere = tempfile::tempdir().unwrap();
        let config = Config { root: elsewhere.path().join("v1"), ..stage.config() };
        assert!(matches!(NodePrograms::start(&config), Err(BpfError::NotBpffs { .. })));
        // A mount in a namespace of our own would end with us, and so would capture.
        let _ = rustix::mount::unmount("/sys/fs/bpf", rustix::mount::UnmountFlags::DETACH);
        let config = Config { root: "/sys/fs/bpf/weir-kernel-test/v1".into(), ..stage.config() };
        assert!(matches!(NodePrograms::start(&config), Err(BpfError::NotBpffs { .. })));
        let config = Config { pods_cgroup: elsewhere.path().to_owned(), ..stage.config() };
        assert!(matches!(NodePrograms::start(&config), Err(BpfError::NotCgroup { .. })));
    });
}

/// Agents come and go; every single connect() of the pod is marked.
#[test]
fn no_connection_escapes_while_agents_change() {
    on_stage(|stage| {
        drop(stage.enrolled());
        let (stop, count) = (AtomicBool::new(false), AtomicU32::new(0));
        std::thread::scope(|scope| {
            let app = scope.spawn(|| {
                stage.within("pods/app", || {
                    for destination in ["10.9.1.3:80", "[fd09::3]:80"].iter().cycle() {
                        let destination: SocketAddr = destination.parse().unwrap();
                        let socket = socket(destination.ip());
                        let _ = try_connect(&socket, destination);
                        assert_eq!(socket.mark().unwrap(), weir_ebpf_common::MARK, "{destination}");
                        count.fetch_add(1, Ordering::Relaxed);
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                });
            });
            for _ in 0..10 {
                let node = NodePrograms::start(&stage.config()).unwrap();
                assert_eq!(node.verify(), []);
            }
            stop.store(true, Ordering::Relaxed);
            app.join().unwrap();
        });
        assert!(count.load(Ordering::Relaxed) > 100, "{count:?} connections");
    });
}

#[test]
fn a_program_above_that_ours_would_push_out_is_left_alone() {
    on_stage(|stage| {
        // Any connect4 program will do as somebody else's: ours, by its id.
        let first = NodePrograms::start(&stage.config()).unwrap();
        let (_, ours) = attached(stage).into_iter().find(|(hook, _)| *hook == "connect4").unwrap();
        let theirs = sys::program_by_id(ours[0]).unwrap();
        first.detach_all().unwrap();
        assert!(eventually(|| attached(stage).iter().all(|(_, programs)| programs.is_empty())));

        let above = File::open(&stage.cgroup).unwrap();
        for (flags, harm) in [(sys::ALLOW_OVERRIDE, "silently stop to run"), (0, "attached exclusively")] {
            sys::attach_as_others_do(above.as_fd(), theirs.as_fd(), sys::attach::CONNECT4, flags).unwrap();
            let refused = NodePrograms::start(&stage.config()).unwrap_err().to_string();
            assert!(refused.contains("connect4") && refused.contains(harm), "{refused}");
            assert!(refused.contains(&stage.cgroup.display().to_string()), "{refused}");
            assert!(attached(stage).iter().all(|(_, programs)| programs.is_empty()), "nothing half in place");
            sys::detach_as_others_do(above.as_fd(), theirs.as_fd(), sys::attach::CONNECT4).unwrap();
        }
        sys::attach_as_others_do(above.as_fd(), theirs.as_fd(), sys::attach::CONNECT4, sys::ALLOW_MULTI)
            .unwrap();
        NodePrograms::start(&stage.config()).unwrap().detach_all().unwrap();
    });
}
