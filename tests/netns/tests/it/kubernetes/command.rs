//! The command `weir`, which sees the agents of a cluster through its API server.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use weir_harness::{Family, binary, until_ok};

use super::SOON;
use super::stage::{ANNOTATION, Stage, stories_on};

stories_on! {
    fn the_command_sees_what_is_so(s) {
        let (client, server) = (s.pod("a", "client")?, s.pod("b", "server")?);
        server.serve(8080, &[])?;
        s.label("default", Some("ambient"))?;
        s.start()?;
        for name in ["client", "server"] {
            s.until_pod(name, |pod| pod["metadata"]["annotations"][ANNOTATION] == "enabled")?;
        }
        forward(s)?;
        let to = server.at(Family::V4, 8080);
        // Until both agents have heard that the other pod speaks the tunnel.
        until_ok("a tunnel, seen from both ends", SOON, || {
            let open = client.hold(to, &[])?;
            let all: Vec<Value> = serde_json::from_str(&weir(s, 0, &["config", "connections", "--output", "json"])?)?;
            let of = |node: &str, direction: &str| {
                let is = |one: &&Value| one["node"] == node && one["direction"] == direction && one["tunnel"].is_string();
                all.iter().find(is).cloned().with_context(|| format!("no {direction} tunnel on {node}: {all:?}"))
            };
            let (outbound, inbound) = (of("a", "outbound")?, of("b", "inbound")?);
            for one in [&outbound, &inbound] {
                ensure!(one["sourceIdentity"] == "spiffe://cluster.local/ns/default/sa/client", "{one}");
                ensure!(one["destination"] == to.to_string(), "{one}");
            }
            ensure!((&outbound["workload"], &inbound["workload"]) == (&json!("client"), &json!("server")), "{all:?}");
            drop(open);
            Ok(())
        })?;
        until_ok("nothing open", SOON, || {
            let all = weir(s, 0, &["config", "connections", "--output", "json"])?;
            ensure!(all.trim() == "[]", "{all}");
            Ok(())
        })?;
        let status: Value = serde_json::from_str(&weir(s, 0, &["status", "--output", "json"])?)?;
        for (at, node) in ["a", "b"].into_iter().enumerate() {
            let agent = &status["agents"][at];
            assert_eq!((&agent["node"], &agent["captured"], &agent["sync"]), (&json!(node), &json!(1), &json!({"state": "synced"})), "{status}");
        }
        let workloads = weir(s, 0, &["config", "workloads", "--node", "b"])?;
        assert!(workloads.contains("server") && workloads.contains("HBONE"), "{workloads}");
        let certificates = weir(s, 0, &["config", "certificates", "--node", "a"])?;
        assert!(certificates.contains("spiffe://cluster.local/ns/default/sa/client"), "{certificates}");
        assert_eq!(weir(s, 0, &["analyze", "--output-threshold", "error"])?, "nothing found\n");
        let explained = weir(s, 0, &["explain", "default/client", "default/server:8080"])?;
        assert!(explained.contains("it arrives"), "{explained}");
        // A node that stopped is missed.
        s.cluster().node("b").agent().kill()?;
        let status = weir(s, 2, &["status"])?;
        assert!(status.contains("weir-system/weir-agent-b"), "{status}");
    }
}

/// The admin endpoints of the agents, as their node's kubelet would reach them.
fn forward(s: &Stage<'_>) -> Result<()> {
    for node in ["a", "b"] {
        let name = format!("weir-agent-{node}");
        let mut pod = s.api().get("pods", "weir-system", &name).context("it is gone")?;
        pod["metadata"]["labels"] = json!({"app": "weir-agent"});
        s.api().put(pod)?;
        let netns = s.cluster().node(node).netns().clone();
        s.api().forward("weir-system", &name, 15000, move || {
            let connect = || std::net::TcpStream::connect(("127.0.0.1", 15000));
            netns.run(connect).map_err(std::io::Error::other)?
        });
    }
    Ok(())
}

/// What the command prints, if it leaves with this code.
fn weir(s: &Stage<'_>, code: i32, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(binary("weir")?);
    command.args(arguments).arg("--kubeconfig").arg(s.cluster().dir().join("kubeconfig.yaml"));
    let output = s.cluster().node("a").netns().run(|| command.output())??;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(code), "weir {arguments:?}: {}\n{out}\n{err}", output.status);
    Ok(out)
}
