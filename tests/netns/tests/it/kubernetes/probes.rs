//! What the kubelet may reach in a STRICT pod, and that nobody else may.

use std::time::Duration;

use serde_json::{Value, json};
use weir_harness::{Family, Pod, until};

use super::stage::{ANNOTATION, Stage, stories_on};
use crate::support::is_linux_since;

stories_on! {
    fn the_kubelet_reaches_what_a_strict_pod_declares(s) {
        let server = strict_server(s)?;
        let a = s.cluster().node("a");
        for family in Family::BOTH {
            for port in [8080, 8081, 8082] {
                let probe = a.kubelet().connect(server.at(family, port), &[])?;
                assert!(probe.is_ok(), "a probe of port {port}: {probe:?}");
                assert!(a.host().connect(server.at(family, port), &[])?.is_err(), "another process of the node");
            }
            assert!(a.kubelet().connect(server.at(family, 9090), &[])?.is_err(), "a port that is not declared");
        }
        // A probe that runs a program in the pod.
        server.output("true", &[""; 0])?.success()?;
    }

    // As on a node whose cgroup v2 tree is not used: the kubelet is in the root with everything else.
    fn a_kubelet_in_the_root_cgroup_is_known_by_its_process(s, &["--kubelet-cgroup", "auto"]) {
        if !is_linux_since(6, 10) {
            return Ok(());
        }
        let a = s.cluster().node("a");
        let root = a.root_cgroup()?;
        // They have the name, and run before it: a pod on the node's network, and one on its own.
        let mut on_network = a.pod("mimic").unknown().start()?.place().clone();
        on_network.netns = a.netns().clone();
        let mut mimics = vec![on_network.program("kubelet")?, a.pod("pod").unknown().start()?.place().program("kubelet")?];
        let mut kubelet = root.program("kubelet")?;
        let server = strict_server(s)?;
        mimics.push(root.program("curl")?);
        let mut refused = |when: &str| -> anyhow::Result<()> {
            for family in Family::BOTH {
                for mimic in &mut mimics {
                    let reply = mimic.connect(server.at(family, 8080), &[])?;
                    anyhow::ensure!(reply.is_err(), "{when}: {} passed: {reply:?}", mimic.process().log_path().display());
                }
            }
            Ok(())
        };
        let known = || a.agent().metrics().ok()?.sum("weir_kubelet_known", &[]);
        until("the kubelet to be known", SOON, || (known()? == 1.0).then_some(()))?;
        for family in Family::BOTH {
            for port in [8080, 8081, 8082] {
                let probe = kubelet.connect(server.at(family, port), &[])?;
                assert!(probe.is_ok(), "a probe of port {port}: {probe:?}");
            }
            assert!(kubelet.connect(server.at(family, 9090), &[])?.is_err(), "a port that is not declared");
        }
        refused("beside the kubelet")?;

        // Without an agent, probes pass and nothing else does.
        a.agent().kill()?;
        assert!(kubelet.connect(server.at(Family::V4, 8080), &[])?.is_ok(), "while no agent runs");
        refused("while no agent runs")?;
        a.agent().start()?;
        until("the kubelet to be known again", SOON, || (known()? == 1.0).then_some(()))?;
        assert!(kubelet.connect(server.at(Family::V4, 8080), &[])?.is_ok(), "of the next agent");

        drop(kubelet);
        until("its end to be known", SOON, || (known()? == 0.0).then_some(()))?;
        refused("without a kubelet")?;
        let mut kubelet = root.program("kubelet")?;
        until("the next kubelet to be known", SOON, || (known()? == 1.0).then_some(()))?;
        assert!(kubelet.connect(server.at(Family::V6, 8082), &[])?.is_ok(), "the next kubelet");
        refused("beside the next kubelet")?;
    }
}

/// A captured pod on node `a` of a STRICT mesh, with a probe of each kind on 8080 to 8082, and a server on 9090 beside.
fn strict_server(s: &Stage<'_>) -> anyhow::Result<Pod> {
    let probes = json!({"containers": [{
        "name": "c", "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
        "livenessProbe": {"tcpSocket": {"port": 8081}},
        "startupProbe": {"grpc": {"port": 8082}},
    }]});
    let server = s.pod_with("a", "server", probes)?;
    for port in [8080, 8081, 8082, 9090] {
        server.serve(port, &[])?;
    }
    s.api().put(strict())?;
    s.label("default", Some("ambient"))?;
    s.start()?;
    s.until_pod("server", |pod| pod["metadata"]["annotations"][ANNOTATION] == "enabled")?;
    Ok(server)
}

fn strict() -> Value {
    json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"name": "default", "namespace": "weir-system"}, "spec": {"mtls": {"mode": "STRICT"}}})
}

const SOON: Duration = Duration::from_secs(10);
