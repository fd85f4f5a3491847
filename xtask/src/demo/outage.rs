//! Check (g): an agent is killed. Nothing escapes while it is away, and all works when it is back.

use anyhow::{Context, Result, ensure};
use weir_harness::{Family, Node, Pod};

use super::report::Finding;
use super::stage::Stage;

/// What the pods try to send while an agent is away.
const WORD: &str = "weir-demo-word-during-outage";

/// Kills the client's agent, then the server's, each once.
pub(super) fn check(stage: &Stage) -> Finding {
    let client = outage(stage, "a").context("agent of node a (the client's)")?;
    let server = outage(stage, "b").context("agent of node b (the server's)")?;
    Ok(format!("{client}\n{server}"))
}

fn outage(stage: &Stage, node: &str) -> Finding {
    let dead = stage.cluster.node(node);
    let capture = dead.capture_link()?;
    dead.agent().kill()?;
    let tried = knock(&stage.curl, &stage.nginx)?;
    let packets = capture.stop()?;
    ensure!(packets.dropped == 0, "tcpdump lost {} packets: no proof", packets.dropped);
    ensure!(!packets.contains(WORD.as_bytes()), "the pods' words passed in plaintext");
    let outside = packets.outside_tunnel().count();
    ensure!(outside == 0, "{outside} TCP packets outside the tunnel");
    let back = restart(stage, &dead)?;
    Ok(format!("agent of node {node} killed: {tried}, 0 TCP packets outside the tunnel; {back}"))
}

/// Connections while the agent is away, both IP versions; whether they fail or wait is not the
/// point, but none may succeed.
fn knock(client: &Pod, server: &Pod) -> Finding {
    let mut tries = 0;
    for family in [Family::V4, Family::V6, Family::V4] {
        let url = format!("{}{WORD}", server.url(family, 80));
        let answer = client.output("curl", &["-sS", "-g", "--max-time", "1", &url])?;
        ensure!(!answer.status.success(), "{url} answered without an agent: {:?}", answer.stdout);
        tries += 1;
    }
    Ok(format!("{tries} connections tried, none got through"))
}

fn restart(stage: &Stage, node: &Node) -> Result<String> {
    node.agent().start()?;
    stage.cluster.settle()?;
    for family in Family::BOTH {
        let answer = stage.curl.curl(&format!("{}after", stage.nginx.url(family, 80)))?;
        ensure!(answer.status == 200, "nginx answered {}", answer.status);
    }
    Ok("back again, new connections work (IPv4, IPv6)".into())
}
