//! What the list of pods asks for while the agents run: changes in place, and pods that cannot be had.

use std::time::Duration;

use anyhow::Context;
use weir_harness::{Family, TunnelProtocol, Workload, until};

use crate::support::{mesh, stories};

stories! {
    fn a_change_of_probe_ports_opens_nothing(c) {
        let m = mesh(c)?;
        let counter = c.node("a").count_link()?;
        let to = m.server.at(Family::V4, 8080);
        let mut open = m.client.hold(to, &[])?;
        let loads = [m.client.load(to, &["--parallel", "2"])?, m.client.load(m.server.at(Family::V6, 8080), &[])?];
        for ports in [&[9001_u16][..], &[9001, 9002], &[]] {
            // Of both ends: a pod that is let go for a moment would be reached, or speak, in plaintext.
            c.change(|mesh| {
                for workload in mesh.workloads.iter_mut().filter(|w| w.name == "client" || w.name == "server") {
                    workload.probe_ports = ports.to_vec();
                }
            })?;
        }
        assert_eq!(open.alive()?, 1, "the open connection is not touched");
        for load in loads {
            let report = load.stop()?;
            assert_eq!(report["failed"], 0, "{report}");
            assert!(report["ok"].as_u64() > Some(0), "{report}");
        }
        assert_eq!(counter.read()?.1, 0, "TCP packets outside the tunnel");
    }

    fn a_pod_that_is_not_there_does_not_keep_the_node_from_being_ready(c) {
        let client = c.node("a").pod("client").enrolled().start()?;
        let server = c.node("b").pod("server").enrolled().start()?;
        server.serve(8080, &[])?;
        // No agent runs yet: nothing to settle.
        c.change(|mesh| mesh.workloads.push(Workload {
            name: "lost".into(),
            namespace: "default".into(),
            service_account: "lost".into(),
            node: "a".into(),
            addresses: vec!["10.9.1.99".parse().unwrap()],
            tunnel_protocol: TunnelProtocol::Hbone,
            network_namespace: Some("/run/netns/weir-is-not-there".into()),
            probe_ports: Vec::new(),
            labels: std::collections::BTreeMap::new(),
            leaving: false,
        }))?;
        for node in c.nodes() {
            node.agent().start()?;
        }
        client.reach(server.at(Family::V4, 8080), &[])?;
        let dump = c.node("a").agent().config_dump()?;
        let lost = &dump["workloadState"]["Kubernetes//Pod/default/lost"];
        assert_eq!(lost["state"], "Pending", "{dump}");
        assert_eq!(c.node("a").agent().metrics()?.sum("weir_pods_unprotected", &[]), Some(1.0), "and it is not silent");
    }

    fn fifty_enrolments_leave_no_descriptor_and_no_thread(c) {
        let a = c.node("a");
        let pods = ["p1", "p2", "p3", "p4", "p5"].map(|name| a.pod(name).enrolled().start());
        let pods = pods.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        c.up()?;
        let agent = a.agent().current()?.pid();
        let count = |what: &str| std::fs::read_dir(format!("/proc/{agent}/{what}")).unwrap().count();
        let cycle = || -> anyhow::Result<()> {
            for enrolled in [TunnelProtocol::None, TunnelProtocol::Hbone] {
                c.change(|mesh| {
                    let pods = mesh.workloads.iter_mut().filter(|w| w.name.starts_with('p'));
                    pods.for_each(|workload| workload.tunnel_protocol = enrolled);
                })?;
            }
            pods[0].reach(pods[1].at(Family::V4, 8080), &[])?;
            Ok(())
        };
        pods[1].serve(8080, &[])?;
        cycle()?;
        let before = (count("fd"), count("task"));
        for _ in 0..10 {
            cycle()?;
        }
        // Closing takes a moment, and an idle thread of the runtime lives for 10 s.
        let now = || (count("fd"), count("task"));
        let settled = || (now().0 <= before.0 + 2 && now().1 <= before.1 + 1).then_some(());
        until("as many descriptors and threads as before", Duration::from_secs(15), settled)
            .with_context(|| format!("{before:?} before, now {:?}", now()))?;
    }

    fn a_port_that_is_taken_is_found_before_the_kernel_is_touched(c) {
        let a = c.node("a");
        let taken = a.netns().run(|| std::net::TcpListener::bind("127.0.0.1:15000"))??;
        a.agent().launch()?;
        assert!(!a.agent().current()?.wait(Duration::from_secs(20))?.success());
        let log = a.agent().log_text().unwrap_or_default();
        assert!(log.contains("127.0.0.1:15000") && log.contains("--admin"), "{log}");
        let pins = std::fs::read_dir(format!("/sys/fs/bpf/{}/a/v1/links", c.id()));
        assert_eq!(pins.map_or(0, Iterator::count), 0, "no hook is left");
        drop(taken);
        a.agent().start()?;
    }

    fn a_changed_service_account_is_the_identity_from_then_on(c) {
        let m = mesh(c)?;
        let (a, to) = (c.node("a"), m.server.at(Family::V4, 8080));
        m.client.reach(to, &[])?;
        c.change(|mesh| mesh.workloads.iter_mut().filter(|w| w.name == "client").for_each(|w| w.service_account = "promoted".into()))?;
        let identities = || Some(a.agent().config_dump().ok()?["certificates"].to_string());
        until("the certificate of the new identity, and not the old one's", Duration::from_secs(5), || {
            identities().filter(|all| all.contains("/sa/promoted") && !all.contains("/sa/client")).map(drop)
        })?;
        m.client.reach(to, &[])?;
        c.node("b").agent().wait_access_log(&[("src.identity", "/sa/promoted"), ("dst.workload", "server")])?;
    }
}
