//! One agent after the other on a node, while its pods speak: as a DaemonSet with maxSurge 1 does it, and by force.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use weir_harness::{Family, Hold, Load, Pod};

use super::stage::{ANNOTATION, Stage, stories_on};
use crate::support::MARK;

const SURGE: [&str; 8] =
    ["--leave", "closed", "--standby", "true", "--drain", "60s", "--holder", "{dir}/holder-{node}.sock"];

stories_on! {
    fn a_rolling_upgrade_fails_no_connection_and_ends_none(s, &SURGE) {
        let (client, server) = pods(s)?;
        let mut open = hold(&client, &server)?;
        let loads = load(&client, &server)?;
        let mut retired = Vec::new();
        for node in s.cluster().nodes() {
            let last = node.agent().current()?;
            node.agent().launch_next()?;
            let next = node.agent().current()?;
            next.wait_log("the next agent to stand by", SOON, |line| line.contains("standing by"))?;
            last.signal(Signal::TERM)?;
            next.wait_log("the next agent to capture", SOON, |line| line.contains("capture is ready"))?;
            node.agent().wait_ready()?;
            assert!(last.alive(), "it carries what was open");
            retired.push(last);
        }
        for hold in &mut open {
            assert_eq!(hold.alive()?, 2, "what was open before is carried on");
        }
        // A pod that starts while the last agents end is the next one's.
        let fresh = s.pod_without_address("a", "fresh")?;
        let result = s.cni(&fresh, "ADD", "c1")?;
        assert_eq!(result.0, 0, "{}", result.1);
        assert_eq!(fresh.reach(server.at(Family::V4, 8080), &[])?.raw["mark"], MARK);
        for load in loads {
            let report = load.stop()?;
            assert_eq!(report["failed"], 0, "{report}");
            assert!(report["longest_ms"].as_u64() < Some(5000), "none waited for the drain: {report}");
        }
        // They go when nothing is open any more, and undo nothing.
        for hold in open {
            hold.end()?;
        }
        for last in retired {
            let status = last.wait(SOON)?;
            assert!(status.success(), "{status}\n{}", last.log());
        }
        for family in Family::BOTH {
            assert_eq!(client.reach(server.at(family, 8080), &[])?.raw["mark"], MARK);
            assert_eq!(server.reach(client.at(family, 8080), &[])?.raw["mark"], MARK);
        }
        for node in s.cluster().nodes() {
            let unprotected = node.agent().metrics()?.sum("weir_pods_unprotected", &[]);
            assert_eq!(unprotected, Some(0.0), "of node {}", node.name());
        }
    }

    fn an_agent_that_is_killed_while_the_next_stands_by_costs_no_new_connection(s, &SURGE) {
        let (client, server) = pods(s)?;
        let loads = load(&client, &server)?;
        for node in s.cluster().nodes() {
            let last = node.agent().current()?;
            node.agent().launch_next()?;
            let next = node.agent().current()?;
            next.wait_log("the next agent to stand by", SOON, |line| line.contains("standing by"))?;
            last.kill()?;
            next.wait_log("the next agent to capture", SOON, |line| line.contains("capture is ready"))?;
            node.agent().wait_ready()?;
        }
        for load in loads {
            let report = load.stop()?;
            // What was open died with its agent.
            assert_eq!(refused(&report), 0, "{report}");
            assert!(report["ok"].as_u64() > Some(0), "{report}");
        }
        for family in Family::BOTH {
            assert_eq!(client.reach(server.at(family, 8080), &[])?.raw["mark"], MARK);
            assert_eq!(server.reach(client.at(family, 8080), &[])?.raw["mark"], MARK);
        }
    }
}

/// Two captured pods with servers, one on each node, and a holder on each.
fn pods(s: &Stage<'_>) -> anyhow::Result<(Pod, Pod)> {
    let (client, server) = (s.pod("a", "client")?, s.pod("b", "server")?);
    for pod in [&client, &server] {
        pod.serve(8080, &[])?;
    }
    for node in s.cluster().nodes() {
        node.agent().hold(&s.cluster().dir().join(format!("holder-{}.sock", node.name())))?;
    }
    s.label("default", Some("ambient"))?;
    s.start()?;
    for name in ["client", "server"] {
        s.until_pod(name, |pod| pod["metadata"]["annotations"][ANNOTATION] == "enabled")?;
    }
    Ok((client, server))
}

fn hold(client: &Pod, server: &Pod) -> anyhow::Result<Vec<Hold>> {
    let mut open = Vec::new();
    for family in Family::BOTH {
        open.push(client.hold(server.at(family, 8080), &["--count", "2"])?);
        open.push(server.hold(client.at(family, 8080), &["--count", "2"])?);
    }
    Ok(open)
}

fn load(client: &Pod, server: &Pod) -> anyhow::Result<Vec<Load>> {
    let mut loads = Vec::new();
    for family in Family::BOTH {
        loads.push(client.load(server.at(family, 8080), &["--timeout", "20000"])?);
        loads.push(server.load(client.at(family, 8080), &["--timeout", "20000"])?);
    }
    Ok(loads)
}

/// How many could not connect.
fn refused(report: &Value) -> u64 {
    let errors = report["errors"].as_object().into_iter().flatten();
    errors.filter(|(what, _)| what.starts_with("connect")).filter_map(|(_, count)| count.as_u64()).sum()
}

const SOON: Duration = Duration::from_secs(20);
