//! A cluster of namespaces whose objects are in an API server, and what a kubelet and a runtime would do.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use weir_harness::kube_api::{KubeApi, TokenOwner};
use weir_harness::{Builder, Cluster, Family, Pod, binary, until};

pub(super) const ANNOTATION: &str = "ambient.istio.io/redirection";

/// Declares stories on a stage that is set; what follows the stage are more arguments of the agents.
macro_rules! stories_on {
    ($($(#[$meta:meta])* fn $name:ident($s:ident $(, $args:expr)?) $body:block)*) => {
        $($(#[$meta])* #[test] fn $name() {
            if !$crate::support::privileged() { return; }
            fn story($s: &$crate::kubernetes::stage::Stage<'_>) -> anyhow::Result<()> { $body Ok(()) }
            let builder = $crate::kubernetes::stage::builder($crate::support::label(stringify!($name)));
            $(let builder = builder.agent_args($args);)?
            let cluster = builder.build().unwrap();
            let told = $crate::kubernetes::stage::Stage::set(&cluster).and_then(|stage| story(&stage));
            if let Err(error) = told { panic!("{error:#}"); }
        })*
    };
}
pub(super) use stories_on;

/// A cluster whose controller reads an API server.
pub(super) fn builder(label: &str) -> Builder {
    let controller =
        ["--source", "kubernetes", "--kubeconfig", "{dir}/kubeconfig.yaml", "--admission", "none"];
    let agents = [
        "--node-pods",
        "true",
        "--token-file",
        "{dir}/token-of-{node}",
        "--root-cert-file",
        "{dir}/root-cert.pem",
        "--cni-socket",
        "{dir}/cni-{node}.sock",
    ];
    Cluster::builder(label).controlled().controller_args(&controller).agent_args(&agents)
}

/// The cluster and its API server, which is where the controller is: on node `a`.
pub(super) struct Stage<'c> {
    cluster: &'c Cluster,
    api: KubeApi,
}

impl<'c> Stage<'c> {
    /// An API server with two nodes and their agents' pods; nothing runs yet.
    pub(super) fn set(cluster: &'c Cluster) -> Result<Self> {
        let api = cluster.node("a").netns().run(KubeApi::with_mesh_kinds)??;
        api.kubeconfig(&cluster.dir())?;
        let stage = Self { cluster, api };
        for name in ["default", "kube-system", "weir-system"] {
            stage.label(name, None)?;
        }
        for node in ["a", "b"] {
            stage.api.put(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}}))?;
            let spec = json!({"serviceAccountName": "weir-agent", "hostNetwork": true});
            stage.put_pod(node, "weir-system", &format!("weir-agent-{node}"), spec, &[])?;
            stage.mount_token(node, &stage.api.issue(stage.agent_of(node)?)?)?;
        }
        Ok(stage)
    }

    pub(super) fn cluster(&self) -> &Cluster {
        self.cluster
    }

    pub(super) fn api(&self) -> &KubeApi {
        &self.api
    }

    /// Starts the controller and the agents.
    pub(super) fn start(&self) -> Result<()> {
        self.cluster.controller().start()?;
        let roots = until("the roots", Duration::from_secs(20), || {
            let map = self.api.get("configmaps", "weir-system", "istio-ca-root-cert")?;
            Some(map["data"]["root-cert.pem"].as_str()?.to_owned())
        })?;
        std::fs::write(self.cluster.dir().join("root-cert.pem"), roots)?;
        for node in self.cluster.nodes() {
            node.agent().launch()?;
        }
        self.cluster.nodes().iter().try_for_each(|node| node.agent().wait_ready())
    }

    /// Whose the token of a node's agent is.
    pub(super) fn agent_of(&self, node: &str) -> Result<TokenOwner> {
        let name = format!("weir-agent-{node}");
        let pod = self.api.get("pods", "weir-system", &name).context("the agent's pod is gone")?;
        let uid = pod["metadata"]["uid"].as_str().context("it has no uid")?;
        Ok(TokenOwner {
            namespace: "weir-system".into(),
            service_account: "weir-agent".into(),
            pod: Some((name, uid.to_owned())),
            node: Some(node.into()),
            audiences: vec!["istio-ca".into()],
        })
    }

    /// What the agent of a node proves itself by, from now on.
    pub(super) fn mount_token(&self, node: &str, token: &str) -> Result<()> {
        Ok(std::fs::write(self.cluster.dir().join(format!("token-of-{node}")), token)?)
    }

    /// Asks for a namespace's pods, or for none.
    pub(super) fn label(&self, namespace: &str, mode: Option<&str>) -> Result<()> {
        let mut object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        if let Some(mode) = mode {
            object["metadata"]["labels"] = json!({"istio.io/dataplane-mode": mode});
        }
        self.api.put(object).map(drop)
    }

    /// A pod that runs, of the namespace `default`.
    pub(super) fn pod(&self, node: &str, name: &str) -> Result<Pod> {
        self.pod_with(node, name, json!({}))
    }

    pub(super) fn pod_with(&self, node: &str, name: &str, spec: Value) -> Result<Pod> {
        let pod = self.sandbox(node, "default", name)?;
        // The process that holds a pod's namespaces on every node.
        pod.spawn("sleep", &["3600"])?;
        let ips = Family::BOTH.map(|family| pod.ip(family).to_string());
        self.put_pod(node, "default", name, spec, &[&ips[0], &ips[1]])?;
        Ok(pod)
    }

    /// A pod whose sandbox is about to be made.
    pub(super) fn pod_without_address(&self, node: &str, name: &str) -> Result<Pod> {
        self.pod_in(node, "default", name)
    }

    pub(super) fn pod_in(&self, node: &str, namespace: &str, name: &str) -> Result<Pod> {
        let pod = self.sandbox(node, namespace, name)?;
        self.put_pod(node, namespace, name, json!({}), &[])?;
        Ok(pod)
    }

    /// A pod whose sandbox is about to be made, with the addresses of one that was deleted.
    pub(super) fn heir(&self, node: &str, name: &str, deleted: &Pod) -> Result<Pod> {
        let pod = self.cluster.node(node).pod(name).unknown().in_place_of(deleted).start()?;
        self.put_pod(node, "default", name, json!({}), &[])?;
        Ok(pod)
    }

    /// A new sandbox of a pod whose node was started anew: the object is the same.
    pub(super) fn reborn(&self, lost: &Pod) -> Result<Pod> {
        lost.node().pod(lost.name()).unknown().in_place_of(lost).start()
    }

    fn sandbox(&self, node: &str, namespace: &str, name: &str) -> Result<Pod> {
        self.cluster.node(node).pod(name).namespace(namespace).unknown().start()
    }

    /// The object of a pod. Its uid is what the harness calls the pod's cgroup.
    pub(super) fn put_pod(
        &self,
        node: &str,
        namespace: &str,
        name: &str,
        spec: Value,
        ips: &[&str],
    ) -> Result<String> {
        let uid = format!("{namespace}-{name}");
        let mut spec = spec;
        spec["nodeName"] = json!(node);
        if spec.get("serviceAccountName").is_none() {
            spec["serviceAccountName"] = json!(name);
        }
        let ips: Vec<Value> = ips.iter().map(|ip| json!({"ip": ip})).collect();
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "uid": uid, "labels": {"app": name}},
            "spec": spec,
            "status": {"phase": "Running", "podIPs": ips, "conditions": [{"type": "Ready", "status": "True"}]},
        });
        let put = self.api.put(pod)?;
        Ok(put["metadata"]["uid"].as_str().unwrap_or_default().to_owned())
    }

    /// The kubelet says the pod's address.
    pub(super) fn set_address(&self, pod: &Pod) -> Result<()> {
        let mut object = self.api.get("pods", "default", pod.name()).context("it is gone")?;
        object["status"]["podIPs"] = json!(Family::BOTH.map(|family| json!({"ip": pod.ip(family)})));
        self.api.put(object).map(drop)
    }

    /// Status and reason of a pod's condition.
    pub(super) fn captured(&self, name: &str) -> Option<(String, String)> {
        let pod = self.api.get("pods", "default", name)?;
        let found =
            pod["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == "weir.dev/Captured")?;
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        Some((text("status"), text("reason")))
    }

    pub(super) fn until_pod(&self, name: &str, is: impl Fn(&Value) -> bool) -> Result<()> {
        until(&format!("the pod {name} to be so"), Duration::from_secs(20), || {
            is(&self.api.get("pods", "default", name)?).then_some(())
        })
    }

    /// Calls the plugin of the pod's node as a runtime does; its exit code and what it says.
    pub(super) fn cni(&self, pod: &Pod, command: &str, container: &str) -> Result<(i32, Value)> {
        let namespace = if pod.name() == "dns" { "kube-system" } else { "default" };
        let uid = format!("{namespace}-{}", pod.name());
        let ips: Vec<Value> =
            Family::BOTH.iter().map(|family| json!({"address": prefix(pod, *family)})).collect();
        let config = json!({
            "cniVersion": "1.0.0", "name": "net", "type": "weir-cni", "socket": self.socket(pod.node().name()),
            "excludeNamespaces": ["kube-system"], "prevResult": {"cniVersion": "1.0.0", "ips": ips},
        });
        let netns =
            if command == "DEL" { String::new() } else { pod.netns().path().to_string_lossy().into_owned() };
        let mut child = Command::new(binary("weir-cni")?)
            .env_clear()
            .env("CNI_COMMAND", command)
            .env("CNI_CONTAINERID", container)
            .env("CNI_NETNS", netns)
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", "/opt/cni/bin")
            .env(
                "CNI_ARGS",
                format!(
                    "IgnoreUnknown=1;K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={};K8S_POD_UID={uid}",
                    pod.name()
                ),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        child.stdin.take().context("no stdin")?.write_all(config.to_string().as_bytes())?;
        let output = child.wait_with_output()?;
        let said = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        Ok((output.status.code().unwrap_or(-1), said))
    }

    fn socket(&self, node: &str) -> PathBuf {
        self.cluster.dir().join(format!("cni-{node}.sock"))
    }
}

fn prefix(pod: &Pod, family: Family) -> String {
    format!("{}/{}", pod.ip(family), if family == Family::V4 { 32 } else { 128 })
}
