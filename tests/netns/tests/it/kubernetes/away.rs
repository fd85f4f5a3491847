//! The API server is away, or the controller, or certificates are too old: what is known stays in force, nothing opens, and what
//! changed meanwhile is learnt when they are back. How long that takes does not matter to any of it but to the pauses between
//! tries, which have tables of their own (`backoff.rs`).

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};
use weir_harness::kube_api::{Call, Cut, Fault, TokenIssuer, TokenOwner};
use weir_harness::{Family, Pod, until, until_ok};

use super::stage::{ANNOTATION, Stage, stories_on};
use crate::support::MARK;

stories_on! {
    fn an_api_server_that_is_away_is_not_missed_and_caught_up_with(s) {
        let (client, server) = two(s)?;
        let to = server.at(Family::V4, 8080);
        let a = s.cluster().node("a");
        let writes = s.api().writes().len();
        s.api().fault(Call::any(), Fault::Close, usize::MAX);
        s.api().cut(Cut::Reset);

        // An agent that starts anew is told by the controller, who knows it.
        a.agent().kill()?;
        a.agent().start()?;
        let load = client.load(to, &["--timeout", "5000"])?;
        assert_eq!(client.reach(to, &[])?.raw["mark"], MARK);

        // A controller that starts anew knows nothing, and says nothing.
        s.cluster().controller().kill()?;
        s.cluster().controller().launch()?;
        let controller = s.cluster().controller();
        until("it to wait", SOON, || controller.log_text().contains("waiting for the API server").then_some(()))?;
        assert_eq!(controller.get("/healthz/live")?.0, 200, "nobody is to restart it");
        assert_eq!(controller.get("/healthz/ready")?.0, 503);
        for family in Family::BOTH {
            assert_eq!(client.reach(server.at(family, 8080), &[])?.raw["mark"], MARK);
        }

        // Much happens while nobody looks, and the server forgets it.
        s.api().put(deny("server"))?;
        s.api().compact();
        let asked = s.api().requests().len();
        s.api().heal();
        controller.start()?;
        until_ok("the policy that came meanwhile", SOON, || {
            ensure!(client.connect(to, &[])?.is_err(), "it is not in force");
            Ok(())
        })?;
        let report = load.stop()?;
        let refused: u64 = report["failed"].as_u64().unwrap_or(0);
        let ok = report["ok"].as_u64().unwrap_or(0);
        assert!(ok > refused, "only the policy ended it: {report}");
        // One list of each kind, in pages, and no storm of them.
        let lists = s.api().requests().split_off(asked).into_iter().filter(|r| r.verb == "list" && r.resource == "pods");
        assert!(lists.count() <= 3, "pods are listed again and again");
        // What is so was not written again, and nothing was taken away.
        let written: Vec<String> = s.api().writes().split_off(writes).into_iter()
            .filter(|r| r.resource.starts_with("pods") && r.status != 0).map(|r| r.uri).collect();
        assert!(written.is_empty(), "{written:?}");
        for pod in ["client", "server"] {
            assert_eq!(s.captured(pod), Some(("True".into(), "Captured".into())));
        }
    }

    fn while_the_api_server_is_away_an_agent_is_believed_by_the_clusters_keys(s) {
        let (client, server) = two(s)?;
        let (a, controller) = (s.cluster().node("a"), s.cluster().controller());
        let is_read = || s.api().requests().iter().any(|r| r.uri == "/openid/v1/jwks" && r.status == 200).then_some(());
        until("the keys to be read", SOON, is_read)?;
        // It is there, and says nothing: as behind a network that is cut.
        s.api().fault(Call::any(), Fault::Hang, usize::MAX);
        s.api().cut(Cut::Reset);

        // A token that nobody has reviewed.
        let owner = s.agent_of("a")?;
        a.agent().kill()?;
        s.mount_token("a", &s.api().issue(owner.clone())?)?;
        a.agent().start()?;
        for family in Family::BOTH {
            assert_eq!(client.reach(server.at(family, 8080), &[])?.raw["mark"], MARK);
            assert_eq!(server.reach(client.at(family, 8080), &[])?.raw["mark"], MARK);
        }
        let believed = controller.metrics()?.sum("weir_tokens_believed_total", &[("by", "Keys")]);
        assert!(believed.is_some_and(|tokens| tokens > 0.0), "by whose word?");
        assert!(controller.log_text().contains("tokens are believed by the cluster's keys"), "nobody is told");

        // Who has another key of the same name proves nothing by it.
        a.agent().kill()?;
        s.mount_token("a", &TokenIssuer::new()?.sign(&owner, HOUR)?)?;
        a.agent().launch()?;
        until("the forgery to be seen", SOON, || controller.log_text().contains("InvalidSignature").then_some(()))?;
        client.fail(server.at(Family::V4, 8080), &["--timeout", "500"])?;
        // Nor does who was another pod.
        a.agent().kill()?;
        let before = TokenOwner { pod: Some(("weir-agent-a".into(), "before".into())), ..owner };
        s.mount_token("a", &s.api().issue(before)?)?;
        a.agent().launch()?;
        until("the one before", SOON, || controller.log_text().contains("another one by now").then_some(()))?;
        client.fail(server.at(Family::V4, 8080), &["--timeout", "500"])?;
        assert_eq!(a.agent().get(15021, "/healthz/ready")?.0, 500, "it knows nothing");

        s.api().heal();
    }

    fn pods_that_come_and_go_without_a_controller_are_nobody_elses(s, &["--cni-wait", "1s"]) {
        let (client, server) = two(s)?;
        s.api().put(allow("server", "client"))?;
        let to = server.at(Family::V4, 8080);
        let other = s.pod_with("a", "other", json!({}))?;
        until_ok("the policy", SOON, || {
            ensure!(other.connect(to, &["--timeout", "1000"])?.is_err(), "it is not in force");
            Ok(())
        })?;
        client.reach(to, &[])?;
        s.cluster().controller().kill()?;

        // The client goes, and another pod gets its address; the runtime asks for that one.
        assert_eq!(s.cni(&client, "DEL", "c0")?.0, 0);
        client.delete()?;
        s.api().delete("pods", "default", "client")?;
        let heir = s.heir("a", "heir", &client)?;
        assert_eq!(heir.v4(), client.v4());
        let (code, answer) = s.cni(&heir, "ADD", "c1")?;
        assert_eq!((code, &answer["code"]), (1, &json!(11)), "it does not start: {answer}");
        assert!(answer["details"].as_str().is_some_and(|why| why.contains("weir-controller reachable")), "{answer}");
        // Even if something ran in it: it is not who had the address before, and nobody speaks plainly to it.
        heir.serve(8080, &[])?;
        for family in Family::BOTH {
            assert!(heir.connect(server.at(family, 8080), &["--timeout", "1000"])?.is_err(), "in the name of the dead");
            assert!(server.connect(heir.at(family, 8080), &["--timeout", "1000"])?.is_err(), "in plaintext");
        }
        // A new pod of the mesh is not let in, either; a pod that need not be in it is.
        let fresh = s.pod_without_address("b", "fresh")?;
        assert_eq!(s.cni(&fresh, "ADD", "c2")?.0, 1);

        s.cluster().controller().start()?;
        until_ok("the pods to start", SOON, || {
            for (pod, container) in [(&heir, "c1"), (&fresh, "c2")] {
                let (code, answer) = s.cni(pod, "ADD", container)?;
                ensure!(code == 0, "{answer}");
                s.set_address(pod)?;
            }
            Ok(())
        })?;
        for name in ["heir", "fresh"] {
            s.until_pod(name, |pod| pod["metadata"]["annotations"][ANNOTATION] == "enabled")?;
        }
        // Until the other node has heard that it speaks the tunnel, it is reached without one.
        let line = [("dst.identity", "sa/heir"), ("src.identity", "sa/server")];
        until_ok("the heir in its own name", SOON, || {
            ensure!(server.connect(heir.at(Family::V4, 8080), &["--timeout", "1000"])?.is_ok(), "it is not reached");
            ensure!(!s.cluster().node("a").agent().access_log(&line).is_empty(), "not by a tunnel");
            Ok(())
        })?;
        heir.fail(to, &["--timeout", "1000"])?;
    }

    fn certificates_that_expired_are_refused_until_they_are_renewed(s, &["--cert-lifetime", "6s"]) {
        let (client, server) = two(s)?;
        let to = server.at(Family::V4, 8080);
        client.reach(to, &[])?;
        let counter = s.cluster().node("a").count_link()?;
        s.cluster().controller().kill()?;
        // They live for six seconds; then each says so, refuses, and tries again.
        until_ok("the certificates to expire", SOON, || {
            for (node, account) in [("a", "sa/client"), ("b", "sa/server")] {
                let log = s.cluster().node(node).agent().log_text().unwrap_or_default();
                let said = |line: &str| line.contains("no valid certificate, traffic is refused") && line.contains(account);
                ensure!(log.lines().any(said), "node {node} says nothing of {account}");
                let dump = s.cluster().node(node).agent().config_dump()?["certificates"].to_string();
                ensure!(dump.contains("expired at"), "{dump}");
            }
            Ok(())
        })?;
        for family in Family::BOTH {
            client.fail(server.at(family, 8080), &["--timeout", "1000"])?;
            server.fail(client.at(family, 8080), &["--timeout", "1000"])?;
        }
        assert_eq!(counter.read()?.1, 0, "TCP packets outside the tunnel");
        // An agent that comes up meanwhile has none at all.
        s.cluster().node("a").agent().kill()?;
        s.cluster().node("a").agent().launch()?;
        client.fail(to, &["--timeout", "500"])?;

        s.cluster().controller().start()?;
        s.cluster().node("a").agent().wait_ready()?;
        until_ok("new certificates, by themselves", SOON, || {
            for family in Family::BOTH {
                client.reach(server.at(family, 8080), &["--timeout", "1000"])?;
            }
            Ok(())
        })?;
        assert_eq!(counter.read()?.1, 0, "TCP packets outside the tunnel");
    }

    fn after_a_reboot_no_pod_starts_before_its_agent(s, &["--cni-wait", "1s"]) {
        let (client, server) = two(s)?;
        let a = s.cluster().node("a");
        // Power goes: processes, namespaces and pins with it. The plugin, its list and the agent's files stay.
        a.agent().kill()?;
        client.delete()?;
        std::fs::remove_dir_all(format!("/sys/fs/bpf/{}/a", s.cluster().id()))?;
        // The kubelet is up first, and starts the same pod in a new sandbox.
        let again = s.reborn(&client)?;
        let (code, answer) = s.cni(&again, "ADD", "c2")?;
        assert_eq!((code, &answer["code"]), (1, &json!(11)), "{answer}");
        a.agent().start()?;
        until_ok("the pod to start", SOON, || {
            let (code, answer) = s.cni(&again, "ADD", "c3")?;
            ensure!(code == 0, "{answer}");
            Ok(())
        })?;
        for family in Family::BOTH {
            assert_eq!(again.reach(server.at(family, 8080), &[])?.raw["mark"], MARK);
        }
        assert_eq!(s.captured("client"), Some(("True".into(), "Captured".into())));
        let unprotected = a.agent().metrics()?.sum("weir_pods_unprotected", &[]);
        assert_eq!(unprotected, Some(0.0));
    }
}

/// Two captured pods that speak through a tunnel, one on each node; the second serves on port 8080.
fn two(s: &Stage<'_>) -> anyhow::Result<(Pod, Pod)> {
    let (client, server) = (s.pod("a", "client")?, s.pod("b", "server")?);
    client.serve(8080, &[])?;
    server.serve(8080, &[])?;
    s.label("default", Some("ambient"))?;
    s.start()?;
    for name in ["client", "server"] {
        s.until_pod(name, |pod| pod["metadata"]["annotations"][ANNOTATION] == "enabled")?;
    }
    until_ok("a tunnel", SOON, || {
        client.reach(server.at(Family::V4, 8080), &[])?;
        let line = [("src.identity", "sa/client"), ("dst.workload", "server")];
        ensure!(!s.cluster().node("b").agent().access_log(&line).is_empty(), "no such line");
        Ok(())
    })?;
    Ok((client, server))
}

fn deny(workload: &str) -> Value {
    policy(workload, json!({"action": "DENY", "rules": [{}]}))
}

/// Only this account is let in.
fn allow(workload: &str, account: &str) -> Value {
    let principal = format!("cluster.local/ns/default/sa/{account}");
    policy(workload, json!({"rules": [{"from": [{"source": {"principals": [principal]}}]}]}))
}

fn policy(workload: &str, mut spec: Value) -> Value {
    spec["selector"] = json!({"matchLabels": {"app": workload}});
    json!({"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
        "metadata": {"name": workload, "namespace": "default"}, "spec": spec})
}

const SOON: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_secs(3600);
