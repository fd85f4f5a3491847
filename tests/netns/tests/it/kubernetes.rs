//! Pods of a cluster: enrolled by labels, captured before their first packet, and saying so themselves. The controller, the
//! agents and the CNI plugin are the real ones; the API server is the harness's, the kubelet and the runtime are played.

mod away;
mod command;
mod probes;
mod stage;
mod upgrade;

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};
use weir_harness::{Family, Metrics, until, until_ok};

use crate::support::MARK;
use stage::{ANNOTATION, Stage, builder, stories_on};

const SOON: Duration = Duration::from_secs(20);

stories_on! {
    fn a_label_takes_running_pods_in_and_out(s) {
        let (client, server) = (s.pod("a", "client")?, s.pod("b", "server")?);
        server.serve(8080, &[])?;
        s.start()?;
        let to = server.at(Family::V4, 8080);
        assert_eq!(client.reach(to, &[])?.raw["mark"], 0);

        s.label("default", Some("ambient"))?;
        for name in ["client", "server"] {
            s.until_pod(name, |pod| pod["metadata"]["annotations"][ANNOTATION] == "enabled")?;
            assert_eq!(s.captured(name), Some(("True".into(), "Captured".into())), "said with it");
        }
        // The agents hear of the annotation from the controller, too.
        until_ok("a tunnel", SOON, || {
            ensure!(client.reach(to, &[])?.raw["mark"] == MARK);
            let line = [("src.identity", "sa/client"), ("dst.workload", "server")];
            ensure!(!s.cluster().node("b").agent().access_log(&line).is_empty(), "no such line");
            Ok(())
        })?;
        client.reach(server.at(Family::V6, 8080), &[])?;

        s.label("default", None)?;
        for name in ["client", "server"] {
            s.until_pod(name, |pod| pod["metadata"]["annotations"].get(ANNOTATION).is_none())?;
        }
        until_ok("no capture", SOON, || {
            ensure!(client.reach(to, &[])?.raw["mark"] == 0);
            Ok(())
        })?;
        until("no condition", SOON, || s.captured("client").is_none().then_some(()))?;
    }

    fn a_pod_speaks_in_its_own_name_from_its_first_packet(s) {
        let server = s.pod("b", "server")?;
        server.serve(8080, &[])?;
        s.label("default", Some("ambient"))?;
        s.start()?;
        s.until_pod("server", |pod| pod["metadata"]["annotations"][ANNOTATION] == "enabled")?;
        let to = server.at(Family::V4, 8080);
        // The runtime makes the sandbox; nobody but it knows the address yet.
        let fresh = s.pod_without_address("a", "fresh")?;
        let result = s.cni(&fresh, "ADD", "c1")?;
        assert_eq!(result.0, 0, "{}", result.1);
        assert_eq!(result.1["ips"][0]["address"], format!("{}/32", fresh.v4()), "the result goes through");
        let reply = fresh.reach(to, &[])?;
        assert_eq!((&reply.raw["mark"], reply.seen.map(|seen| seen.ip())), (&json!(MARK), Some(fresh.ip(Family::V4))));
        let line = [("src.identity", "sa/fresh"), ("dst.workload", "server")];
        s.cluster().node("b").agent().wait_access_log(&line)?;
        assert_eq!(s.cni(&fresh, "CHECK", "c1")?.0, 0);
        s.set_address(&fresh)?;
        s.until_pod("fresh", |pod| pod["metadata"]["annotations"][ANNOTATION] == "enabled")?;

        // Another sandbox's end is not this one's.
        assert_eq!(s.cni(&fresh, "DEL", "c0")?.0, 0);
        assert_eq!(fresh.reach(to, &[])?.raw["mark"], MARK);
        assert_eq!(s.cni(&fresh, "DEL", "c1")?.0, 0);
        until_ok("the pod to be let go at once", SOON, || {
            let enrolled = s.cluster().node("a").agent().metrics()?.sum("weir_pods_enrolled", &[]);
            ensure!(enrolled == Some(0.0), "{enrolled:?}");
            Ok(())
        })?;
    }

    fn without_an_agent_only_pods_that_cannot_be_in_the_mesh_start(s) {
        let (shop, system) = (s.pod_without_address("a", "web")?, s.pod_in("a", "kube-system", "dns")?);
        s.start()?;
        s.cluster().node("a").agent().kill()?;
        let (code, answer) = s.cni(&shop, "ADD", "c1")?;
        assert_eq!((code, &answer["code"]), (1, &json!(11)), "try again later");
        assert!(answer["details"].as_str().unwrap().contains("weir-agent pod"), "{answer}");
        assert_eq!(s.cni(&system, "ADD", "c2")?.0, 0);
        assert_eq!(s.cni(&shop, "DEL", "c1")?.0, 0, "whoever goes, goes");
        s.cluster().node("a").agent().start()?;
        assert_eq!(s.cni(&shop, "ADD", "c1")?.0, 0);
        // Nothing asks for it, and it was not taken in.
        assert_eq!(s.captured("web"), None);
    }

    fn a_restarted_agent_finds_its_pods(s) {
        let (client, server) = (s.pod("a", "client")?, s.pod("b", "server")?);
        server.serve(8080, &[])?;
        s.label("default", Some("ambient"))?;
        s.start()?;
        let told = s.pod_without_address("a", "told")?;
        assert_eq!(s.cni(&told, "ADD", "c1")?.0, 0);
        s.set_address(&told)?;
        for name in ["client", "server", "told"] {
            s.until_pod(name, |pod| pod["metadata"]["annotations"][ANNOTATION] == "enabled")?;
        }
        let writes = s.api().writes().len();
        let a = s.cluster().node("a");
        a.agent().kill()?;
        a.agent().start()?;
        let to = server.at(Family::V4, 8080);
        for pod in [&client, &told] {
            assert_eq!(pod.reach(to, &[])?.raw["mark"], MARK);
        }
        let log = a.agent().log_text().unwrap_or_default();
        assert!(log.contains("found by its processes"), "the client was never told of");
        assert_eq!(s.api().writes().len(), writes, "what is so is not written again");
    }

    fn what_cannot_be_taken_in_says_why(s) {
        let host = json!({"hostNetwork": true});
        s.put_pod("a", "default", "host", host, &["10.9.1.1"])?;
        s.put_pod("a", "default", "vm", json!({"runtimeClassName": "kata-qemu"}), &["10.9.1.99"])?;
        s.put_pod("a", "default", "lost", json!({}), &["10.9.1.98"])?;
        s.start()?;
        s.label("default", Some("ambient"))?;
        for (name, reason) in [("host", "HostNetwork"), ("vm", "RuntimeClass"), ("lost", "Failed")] {
            until_ok(&format!("the reason of {name}"), SOON, || {
                ensure!(s.captured(name) == Some(("False".into(), reason.into())), "{:?}", s.captured(name));
                Ok(())
            })?;
        }
        let metrics: Metrics = s.cluster().node("a").agent().metrics()?;
        assert_eq!(metrics.sum("weir_pods_unprotected", &[]), Some(1.0), "those that nobody can help are not missed");
        s.label("default", None)?;
        until("no reason any more", SOON, || s.captured("host").is_none().then_some(()))?;
    }
}

/// The plugin gets where it belongs, stays there, and goes when it is told to.
#[test]
fn the_plugin_is_kept_in_the_nodes_list() {
    if !crate::support::privileged() {
        return;
    }
    let files = tempfile();
    let (bin, conf) = (files.join("bin"), files.join("conf"));
    for dir in [&bin, &conf] {
        std::fs::create_dir_all(dir).unwrap();
    }
    let list = conf.join("10-net.conflist");
    let others = json!({"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": "bridge", "mtu": 1450}]});
    std::fs::write(&list, others.to_string()).unwrap();
    let dirs = [bin.to_string_lossy().into_owned(), conf.to_string_lossy().into_owned()];
    let args = ["--cni-bin-dir", dirs[0].as_str(), "--cni-conf-dir", dirs[1].as_str()];
    let cluster = builder("cniinst").node_args("a", &args).build().unwrap();
    let story = || -> anyhow::Result<()> {
        let s = Stage::set(&cluster)?;
        s.start()?;
        let plugins = || -> Option<Vec<Value>> {
            let text = std::fs::read_to_string(&list).ok()?;
            serde_json::from_str::<Value>(&text).ok()?["plugins"].as_array().cloned()
        };
        let is_there = || plugins().is_some_and(|all| all.len() == 2 && all[1]["type"] == "weir-cni");
        until("the plugin in the list", SOON, || is_there().then_some(()))?;
        assert_eq!(plugins().unwrap()[0], others["plugins"][0]);
        std::fs::write(&list, others.to_string())?;
        until("the list to be healed", SOON, || is_there().then_some(()))?;
        let a = cluster.node("a");
        let writes = a.agent().metrics()?.sum("weir_cni_writes_total", &[]);
        ensure!(writes.is_some_and(|writes| writes >= 1.0), "{writes:?}");
        for node in cluster.nodes() {
            node.agent().terminate()?;
        }
        ensure!(is_there(), "a stop leaves it for the next agent");
        let agent = weir_harness::binary("weir-agent")?.to_string_lossy().into_owned();
        a.output(&agent, &["cni", "uninstall", args[0], args[1], args[2], args[3]])?.success()?;
        ensure!(plugins().as_ref() == others["plugins"].as_array() && !bin.join("weir-cni").exists());
        Ok(())
    };
    let outcome = story();
    let _ = std::fs::remove_dir_all(&files);
    if let Err(error) = outcome {
        panic!("{error:#}");
    }
}

fn tempfile() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("weir-cni-{}", std::process::id()))
}
