//! Agents come and go, pods come and go, enrolment is a state that is kept.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use weir_harness::{Cluster, Family, NetNs, until, until_ok};

use crate::support::{mesh, stories};

stories! {
    fn kill_and_restart_under_load(c) {
        let m = mesh(c)?;
        let counter = c.node("a").count_link()?;
        let loads = [
            m.client.load(m.server.at(Family::V4, 8080), &["--parallel", "2"])?,
            m.client.load(m.neighbour.at(Family::V6, 8080), &["--parallel", "2"])?,
            m.server.load(m.client.at(Family::V4, 8080), &[])?,
        ];
        c.node("a").agent().kill()?;
        c.up()?;
        // From here on no connection may fail: what did, did so in the gap.
        for (client, server) in [(&m.client, &m.server), (&m.client, &m.neighbour), (&m.server, &m.client)] {
            let to = server.at(Family::V4, 8080).to_string();
            let report = client.probe(&["many", "--to", &to, "--count", "200", "--parallel", "4"])?;
            assert_eq!(report["ok"], 200, "{report}");
        }
        for load in loads {
            let report = load.stop()?;
            assert!(report["ok"].as_u64() > Some(0), "{report}");
        }
        assert_eq!(counter.read()?.1, 0, "TCP packets outside the tunnel");
    }

    fn with_a_holder_no_new_connection_fails(c = Cluster::builder("holder").node_args("a", &["--holder", &holder()])) {
        let agent = c.node("a");
        let args = ["hold".to_owned(), "--socket".to_owned(), holder()];
        let process = agent.agent().place().spawn(&weir_harness::binary("weir-agent")?.to_string_lossy(), &args)?;
        until("the holder's socket", Duration::from_secs(5), || fs::exists(holder()).ok()?.then_some(()))?;
        let m = mesh(c)?;
        agent.agent().kill()?;
        // Each waits for the next agent: the SYN is queued, on IPv4 and on IPv6, out and in.
        let waiting = [
            m.client.load(m.server.at(Family::V4, 8080), &["--timeout", "20000"])?,
            m.client.load(m.server.at(Family::V6, 8080), &["--timeout", "20000"])?,
            m.visitor.load(m.client.at(Family::V6, 8080), &["--timeout", "20000"])?,
            m.server.load(m.client.at(Family::V4, 8080), &["--timeout", "20000"])?,
        ];
        c.up()?;
        for load in waiting {
            let report = load.stop()?;
            assert_eq!(report["failed"], 0, "{report}");
            assert!(report["ok"].as_u64() > Some(0), "{report}");
        }
        process.kill()?;
        fs::remove_file(holder())?;
    }

    fn enrol_and_unenrol_under_load(c) {
        let m = mesh(c)?;
        let loads = [
            m.client.load(m.server.at(Family::V4, 8080), &["--parallel", "2"])?,
            m.client.load(m.server.at(Family::V6, 8080), &[])?,
            m.visitor.load(m.server.at(Family::V4, 8080), &[])?,
        ];
        for _ in 0..4 {
            m.server.unenrol()?;
            c.settle()?;
            m.server.enrol()?;
            c.settle()?;
        }
        for load in loads {
            let report = load.stop()?;
            // A connection that is open while the pod leaves the mesh is aborted; a new one is not refused.
            let refused: u64 = report["errors"].as_object().into_iter().flatten()
                .filter(|(what, _)| what.starts_with("connect"))
                .filter_map(|(_, count)| count.as_u64()).sum();
            assert_eq!(refused, 0, "{report}");
            assert!(report["ok"].as_u64() > Some(20), "{report}");
        }
    }

    fn connections_from_before_enrolment_live_on(c) {
        let m = mesh(c)?;
        m.visitor.serve(8080, &[])?;
        let mut holds = Vec::new();
        for family in Family::BOTH {
            holds.push(m.visitor.hold(m.outside.at(family, 8080), &[])?);
            holds.push(m.outside.hold(m.visitor.at(family, 8080), &[])?);
        }
        for step in ["enrol", "un-enrol", "enrol again"] {
            if step == "un-enrol" { m.visitor.unenrol()? } else { m.visitor.enrol()? }
            for hold in &mut holds {
                assert_eq!(hold.alive()?, 1, "after {step}");
            }
        }
        let reply = m.visitor.reach(m.server.at(Family::V4, 8080), &[])?;
        assert_eq!(reply.raw["mark"], crate::support::MARK, "new ones are captured");
    }

    fn a_deleted_pod_frees_everything_and_may_come_again(c) {
        let m = mesh(c)?;
        let to = m.server.at(Family::V4, 8080);
        let mut peer = m.client.hold(to, &["--count", "3"])?;
        let veth = m.server.veth(0);
        m.server.delete()?;
        c.settle()?;
        let ends = peer.tell("ends 5000")?;
        assert!(ends["ends"]["open"].is_null(), "peers learn of it: {ends}");
        until("the pod's veth to go", Duration::from_secs(5), || {
            c.node("b").netns().ip(&["link", "show", &veth]).is_err().then_some(())
        })?;
        let again = c.node("b").pod("server").enrolled().start()?;
        again.serve(8080, &[])?;
        c.settle()?;
        for family in Family::BOTH {
            m.client.reach(again.at(family, 8080), &[])?;
        }
    }

    fn sigterm_leaves_nothing_behind(c) {
        let m = mesh(c)?;
        let before = [&m.client, &m.server].map(|pod| traces(pod.netns()));
        assert!(before.iter().all(|found| !found.is_empty()), "the search finds what is there: {before:?}");
        for node in c.nodes() {
            let (status, took) = node.agent().terminate()?;
            assert!(status.success(), "{status}");
            assert!(took < Duration::from_secs(10), "nothing was open: {took:?}");
        }
        for pod in [&m.client, &m.neighbour, &m.server] {
            assert_eq!(traces(pod.netns()), Vec::<String>::new(), "{}", pod.name());
            for sysctl in ["net.ipv4.tcp_fwmark_accept", "net.ipv4.fwmark_reflect", "net.ipv6.fwmark_reflect"] {
                assert_eq!(pod.netns().read_sysctl(sysctl)?, "0", "{sysctl} of {}", pod.name());
            }
        }
        for node in c.nodes() {
            let pins = fs::read_dir(format!("/sys/fs/bpf/{}/{}/v1", c.id(), node.name()));
            assert_eq!(pins.map_or(0, Iterator::count), 0, "pins of node {}", node.name());
        }
        // Left open: the pods speak plainly, as before.
        let reply = m.client.reach(m.server.at(Family::V4, 8080), &[])?;
        assert_eq!((reply.raw["mark"].as_u64(), reply.seen), (Some(0), Some(reply.local)));
    }

    fn open_connections_may_finish_and_a_second_sigterm_does_not_wait(c = Cluster::builder("drain").agent_args(&["--drain", "20s"])) {
        let m = mesh(c)?;
        let mut open = m.client.hold(m.server.at(Family::V4, 8080), &[])?;
        let agent = c.node("a").agent().current()?;
        agent.signal(Signal::TERM)?;
        assert_eq!(open.alive()?, 1, "still carried while draining");
        assert!(agent.alive());
        agent.signal(Signal::TERM)?;
        agent.wait(Duration::from_secs(5))?;
    }

    fn a_restart_after_an_orderly_stop_adopts_the_pods(c = Cluster::builder("adopt").agent_args(&["--leave", "closed"])) {
        let m = mesh(c)?;
        for node in c.nodes() {
            node.agent().terminate()?;
        }
        c.up()?;
        for family in Family::BOTH {
            m.client.reach(m.server.at(family, 8080), &[])?;
            m.client.reach(m.neighbour.at(family, 8080), &[])?;
            m.visitor.reach(m.server.at(family, 8080), &[])?;
        }
    }

    fn after_a_reboot_there_are_no_pins_and_it_starts_all_the_same(c) {
        let m = mesh(c)?;
        c.node("a").agent().kill()?;
        // bpffs is empty after a boot.
        fs::remove_dir_all(format!("/sys/fs/bpf/{}/a", c.id()))?;
        c.up()?;
        for family in Family::BOTH {
            m.client.reach(m.server.at(family, 8080), &[])?;
        }
    }

    fn a_cgroup_made_anew_is_hooked_again(c) {
        let m = mesh(c)?;
        // A restarted kubelet may make its cgroup again; the hook of the old one died with it.
        let probe = |what: &str| c.node("b").kubelet().connect(m.server.at(Family::V4, 8080), &["--timeout", "500"])?
            .map_err(|error| anyhow::anyhow!("{what}: {error}"));
        c.set_strict(true)?;
        probe("before")?;
        let path = c.node("b").kubelet().cgroup.path().to_owned();
        fs::remove_dir(&path)?;
        fs::create_dir(&path)?;
        until_ok("the hook to be attached again", Duration::from_secs(45), || probe("after"))?;
    }

    fn pods_that_come_while_the_agent_runs_are_enrolled(c) {
        c.up()?;
        let m = mesh(c)?;
        m.client.reach(m.server.at(Family::V4, 8080), &[])?;
        let late = c.node("b").pod("late").enrolled().start()?;
        late.serve(8080, &[])?;
        c.settle()?;
        let reply = m.client.reach(late.at(Family::V6, 8080), &[])?;
        assert_eq!(reply.raw["mark"], crate::support::MARK);
        let enrolled = c.node("b").agent().metrics()?.sum("weir_pods_enrolled", &[]);
        assert_eq!(enrolled, Some(2.0));
        assert_eq!(c.node("b").agent().metrics()?.sum("weir_pods_unprotected", &[]), Some(0.0));
    }
}

/// Socket of the holder; one per test process.
fn holder() -> String {
    format!("/tmp/weir-holder-{}.sock", std::process::id())
}

/// What an agent has put into a pod's namespace: rules, routes, listeners.
fn traces(netns: &NetNs) -> Vec<String> {
    let mut found = Vec::new();
    for family in ["-4", "-6"] {
        let rules = netns.ip(&[family, "rule", "show"]).unwrap_or_default();
        found.extend(rules.lines().filter(|line| line.contains("fwmark")).map(str::to_owned));
        let routes = netns.ip(&[family, "route", "show", "table", "22341"]).unwrap_or_default();
        found.extend(routes.lines().map(str::to_owned));
    }
    let ports = netns.listening_ports().unwrap_or_default();
    found.extend(ports.into_iter().filter(|port| *port >= 61_000).map(|port| format!("listener {port}")));
    found
}
