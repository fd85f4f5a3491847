//! What happens when two want something of one pod at the same time, and what is left after many times.

use std::net::SocketAddr;

use super::stage::*;
use crate::ListenerKind::Outbound;
use crate::netlink::{Family, Netlink};
use crate::scratch::Scratch;
use crate::{DatapathError, Leave, PodSpec};

fn rules(scratch: &Scratch) -> usize {
    let count = || {
        let mut netlink = Netlink::new().unwrap();
        [Family::V4, Family::V6].map(|family| netlink.rules(family).unwrap().len()).iter().sum()
    };
    scratch.pod.run(count).unwrap()
}

#[test]
fn an_update_keeps_the_pod_captured_and_its_listeners() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        let mut pod = datapath.enrol(spec(&scratch)).unwrap();
        let cookie = pod.netns_cookie;
        for ports in [vec![9090], vec![9090, 9091], vec![]] {
            datapath.update(PodSpec { probe_ports: ports.clone(), ..spec(&scratch) }).unwrap();
            let known = datapath.node().pod(&pod.uid).unwrap();
            let probes = crate::datapath::lock(&known).probes.len();
            assert_eq!(probes, ports.len() * spec(&scratch).addresses.len());
            assert!(datapath.node().programs.is_enrolled(cookie).unwrap());
        }
        assert!(matches!(pod.new_listeners.try_recv(), Err(tokio::sync::mpsc::error::TryRecvError::Empty)));
        let _app = stage.app_connects(&scratch, SocketAddr::new(scratch.pairs()[0].1, 80)).unwrap();
        assert!(agent_accepts(&pod, Outbound).is_some(), "the listeners of before");
        datapath.stop_capture(&pod.uid).unwrap();
        let error = datapath.update(spec(&scratch)).unwrap_err();
        assert!(matches!(error, DatapathError::NoSuchPod { .. }), "it is on its way out: {error}");
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn what_enrols_a_pod_again_is_not_undone_by_what_let_it_go() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        let uid = spec(&scratch).uid;
        for round in 0..10 {
            let _pod = datapath.enrol(spec(&scratch)).unwrap();
            let again = std::thread::scope(|scope| {
                scope.spawn(|| datapath.unenrol(&uid, Leave::Open).unwrap());
                while datapath.node().pod(&uid).is_ok() {
                    std::hint::spin_loop();
                }
                datapath.enrol(spec(&scratch)).unwrap()
            });
            assert_eq!(
                (rules(&scratch), stage.pod_pins().len(), stage.state_files()),
                (4, 1, 1),
                "round {round}"
            );
            let report = datapath.reconcile();
            assert_eq!((report.protected, report.repaired.as_slice()), (1, &[][..]), "round {round}");
            drop(again);
        }
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn a_pod_that_is_enrolled_during_the_shutdown_is_not_left_captured() {
    on_stage(|stage| {
        for _ in 0..5 {
            let datapath = stage.datapath();
            let scratches: Vec<Scratch> = (0..4).map(|_| Scratch::new().unwrap()).collect();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for (number, scratch) in scratches.iter().enumerate() {
                        let enrolled = datapath.enrol(PodSpec { uid: number.to_string(), ..spec(scratch) });
                        if let Err(error) = enrolled {
                            assert!(matches!(error, DatapathError::ShutDown { .. }), "{error}");
                        }
                    }
                });
                assert!(eventually(|| stage.state_files() > 0));
                datapath.shutdown(Leave::Open).unwrap();
            });
            assert_eq!((stage.pod_pins().len(), stage.state_files()), (0, 0));
            assert!(scratches.iter().all(|scratch| rules(scratch) == 0));
        }
    });
}

#[test]
fn what_an_earlier_agent_captured_stays_closed_while_it_is_wanted() {
    on_stage(|stage| {
        let scratch = Scratch::new().unwrap();
        let first = stage.datapath();
        let pod = first.enrol(spec(&scratch)).unwrap();
        let uid = pod.uid.clone();
        drop((first, pod));
        let second = stage.datapath();
        assert_eq!(second.release_unclaimed(&[uid]), [""; 0]);
        let direct = SocketAddr::new(scratch.pairs()[0].1, 7000);
        let _server = scratch.remote.run(|| std::net::TcpListener::bind(direct).unwrap()).unwrap();
        assert!(stage.app_connects(&scratch, direct).is_err(), "closed");
        assert_eq!((stage.pod_pins().len(), stage.state_files(), rules(&scratch)), (1, 1, 4));
        assert_eq!(second.release_unclaimed(&[]).len(), 1);
        stage.app_connects(&scratch, direct).unwrap();
        second.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn a_pod_for_which_there_is_no_room_is_left_as_it_was() {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let (inside, outside) = (Scratch::new().unwrap(), Scratch::new().unwrap());
        let pod = datapath.enrol(spec(&inside)).unwrap();
        let programs = &datapath.node().programs;
        let others = 1_u64 << 40;
        assert!((0..5000).any(|n| programs.enrol(others + n).is_err()), "the map is full");
        let second = PodSpec { uid: "Kubernetes//Pod/test/b".into(), ..spec(&outside) };
        let error = datapath.enrol(second.clone()).unwrap_err().to_string();
        assert!(error.contains("ENROLLED is full"), "{error}");
        assert_eq!((rules(&outside), stage.pod_pins().len(), stage.state_files()), (0, 1, 1));
        assert!(matches!(datapath.update(second.clone()), Err(DatapathError::NoSuchPod { .. })));
        let _app = stage.app_connects(&inside, SocketAddr::new(inside.pairs()[0].1, 80)).unwrap();
        assert!(agent_accepts(&pod, Outbound).is_some(), "the other one is captured as before");
        programs.unenrol(others).unwrap();
        let _pod = datapath.enrol(second).unwrap();
        datapath.shutdown(Leave::Open).unwrap();
    });
}
