//! Applications bind and listen as if no agent were there, whatever the agent's sockets hold.

use weir_harness::{Cluster, Family};

use crate::support::{mesh, stories};

/// All ways of preparing a listener.
const REUSE: [&str; 4] = ["none", "addr", "port", "both"];

stories! {
    fn an_application_restarts_while_connections_are_open(c) {
        let m = mesh(c)?;
        // A server elsewhere on the same port number: the agent's outbound children own that
        // number as their local port in the pod.
        for mptcp in [false, true] {
            for family in Family::BOTH {
                let app = m.server.serve(7000, &["--reuse", "both"])?;
                let from_mesh = m.client.hold(m.server.at(family, 7000), &["--count", "3"])?;
                let from_outside = m.visitor.hold(m.server.at(family, 7000), &["--count", "3"])?;
                m.client.serve(7000, &["--reuse", "both"]).map(drop).or_else(|_| anyhow::Ok(()))?;
                let outbound = m.server.hold(m.client.at(family, 7000), &["--count", "3"])?;
                assert_eq!((from_mesh.open, from_outside.open, outbound.open), (3, 3, 3));
                app.kill()?;
                // Open children of the agent, then (the clients gone) children in TIME_WAIT.
                can_bind(c, &m.server, mptcp)?;
                for hold in [from_mesh, from_outside, outbound] {
                    hold.end()?;
                }
                can_bind(c, &m.server, mptcp)?;
            }
        }
    }

    fn bind_to_port_zero_gives_different_ports(c) {
        let m = mesh(c)?;
        for at in ["0.0.0.0:0", "[::]:0"] {
            let report = m.client.probe(&["bind", "--at", at, "--count", "300", "--reuse", "none"])?;
            assert_eq!(report["ports"], 300, "{report}");
        }
    }

    fn the_agents_own_ports_do_not_stand_in_the_way(c) {
        let m = mesh(c)?;
        // Names that other meshes reserve are free here; only 15008 means something, inbound.
        for port in [15001, 15006, 15008] {
            let at = format!("0.0.0.0:{port}");
            let report = m.client.probe(&["bind", "--at", &at, "--reuse", "none"])?;
            assert!(report["bind"].is_null() && report["listen"].is_null(), "{port}: {report}");
        }
    }
}

fn can_bind(_c: &Cluster, pod: &weir_harness::Pod, mptcp: bool) -> anyhow::Result<()> {
    for reuse in REUSE {
        for at in ["0.0.0.0:7000", "[::]:7000"] {
            let mut args = vec!["bind", "--at", at, "--reuse", reuse];
            if mptcp {
                args.push("--mptcp");
            }
            let report = pod.probe(&args)?;
            assert!(report["bind"].is_null() && report["listen"].is_null(), "{args:?}: {report}");
        }
    }
    Ok(())
}
