//! The self-test passes here, and fails where something is missing.

use super::stage::*;
use crate::datapath::Node;
use crate::scratch::Scratch;
use crate::{Config, Datapath, DatapathError, Leave, Mode, selftest};

#[test]
fn it_passes_and_leaves_nothing() {
    on_stage(|stage| {
        let node = Node::start(stage.config()).unwrap();
        selftest::run(&node).unwrap();
        assert_eq!((stage.pod_pins().len(), stage.state_files()), (0, 0));
        assert_eq!(node.programs.enrolled().unwrap(), [0; 0]);
        node.programs.detach_all().unwrap();
    });
}

#[test]
fn start_runs_it() {
    on_stage(|stage| {
        let datapath = Datapath::start(Config { self_test: true, ..stage.config() }).unwrap();
        assert_eq!(datapath.mode(), Mode::Primary);
        datapath.shutdown(Leave::Open).unwrap();
    });
}

#[test]
fn it_names_what_is_missing() {
    on_stage(|stage| {
        let node = Node::start(stage.config()).unwrap();
        let zero = |sysctl: &'static str| {
            move |scratch: &Scratch| {
                scratch.pod.run(|| std::fs::write(format!("/proc/sys/net/{sysctl}"), "0"))?
            }
        };
        for (sysctl, failing) in [
            ("ipv4/tcp_fwmark_accept", "deliver a connection to the app"),
            ("ipv4/fwmark_reflect", "be refused by a closed port of the app"),
            ("ipv6/fwmark_reflect", "be refused by a closed port of the app"),
        ] {
            let error = selftest::run_with(&node, zero(sysctl)).unwrap_err();
            let DatapathError::SelfTest { step, look_at, .. } = &error else { panic!("{error}") };
            let name = sysctl.split('/').nth(1).unwrap();
            assert!(*step == failing && look_at.contains(name), "{sysctl}: {error}");
        }
        node.programs.detach_all().unwrap();
    });
}

#[test]
fn it_notices_hooks_that_do_not_see_the_pods() {
    on_stage(|stage| {
        let node = Node::start(stage.config()).unwrap();
        let error = selftest::run_with(&node, |scratch| {
            node.programs.unenrol(scratch.pod.cookie()).map_err(std::io::Error::other)
        })
        .unwrap_err();
        let DatapathError::SelfTest { step, .. } = &error else { panic!("{error}") };
        assert_eq!(*step, "capture a connection that the app opens");
        node.programs.detach_all().unwrap();
    });
}
