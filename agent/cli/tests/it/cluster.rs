//! A cluster for the command: an API, and somebody who runs what is applied.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use weir_harness::kube_api::KubeApi;

use crate::pages::answering;

/// An API with nodes that run everything at once.
pub(crate) struct Cluster {
    pub(crate) api: Arc<KubeApi>,
    kubeconfig: PathBuf,
    kubelet: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
    _dir: TempDir,
}

/// What came of a command.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    /// What it printed, if it left with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self.out
    }
}

/// Runs `weir`.
pub(crate) fn weir(arguments: &[&str]) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    let output =
        command.args(arguments).env_remove("KUBECONFIG").env("HOME", "/nonexistent").output().unwrap();
    Answer {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let mut cluster = Self::idle();
        let stop = Arc::new(AtomicBool::new(false));
        let (api, stopped) = (cluster.api.clone(), stop.clone());
        let run = move || {
            while !stopped.load(Ordering::Relaxed) {
                run_all(&api);
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        cluster.kubelet = Some((stop, std::thread::spawn(run)));
        cluster
    }

    /// One in which nobody runs anything.
    pub(crate) fn idle() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let api = KubeApi::start().unwrap();
        let kubeconfig = api.kubeconfig(dir.path()).unwrap();
        Self { api: Arc::new(api), kubeconfig, kubelet: None, _dir: dir }
    }

    /// One that serves the mesh's kinds, too.
    pub(crate) fn of_mesh() -> Self {
        let cluster = Self::idle();
        for resource in MESH_KINDS {
            cluster.api.serve(resource).unwrap();
        }
        cluster
    }

    /// A pod of the mesh that runs, of which these pages are known.
    pub(crate) fn runs(&self, app: &str, name: &str, node: &str, port: u16, pages: &[(&'static str, Value)]) {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "weir-system", "labels": {"app": app}},
            "spec": {"nodeName": node}, "status": {"phase": "Running"},
        });
        self.api.put(pod).unwrap();
        self.api.forward("weir-system", name, port, answering(pages));
    }

    pub(crate) fn node(&self, name: &str) {
        let labels = json!({"kubernetes.io/os": "linux"});
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}});
        self.api.put(node).unwrap();
    }

    pub(crate) fn weir(&self, arguments: &[&str]) -> Answer {
        let kubeconfig = self.kubeconfig.to_str().unwrap();
        weir(&[arguments, &["--kubeconfig", kubeconfig]].concat())
    }

    /// Writes of the command, as `verb resource`, without dry runs.
    pub(crate) fn writes(&self) -> Vec<String> {
        let writes = self.api.writes().into_iter().filter(|request| !request.uri.contains("dryRun"));
        writes.map(|request| format!("{} {}", request.verb, request.resource)).collect()
    }
}

/// Kinds of the Gateway API and of Istio, as the API names them.
pub(crate) const MESH_KINDS: [&str; 12] = [
    "gateways",
    "gatewayclasses",
    "httproutes",
    "grpcroutes",
    "referencegrants",
    "virtualservices",
    "destinationrules",
    "serviceentries",
    "workloadentries",
    "workloadgroups",
    "authorizationpolicies",
    "peerauthentications",
];

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.kubelet.take() {
            stop.store(true, Ordering::Relaxed);
            let _ = thread.join();
        }
    }
}

/// What a controller manager and kubelets would do, in a moment.
fn run_all(api: &KubeApi) {
    let workloads =
        [("deployments", "weir-controller"), ("daemonsets", "weir-agent"), ("daemonsets", "weir-holder")];
    for (resource, name) in workloads {
        let Some(mut object) = api.get(resource, "weir-system", name) else { continue };
        let generation = object["metadata"]["generation"].clone();
        let replicas = object["spec"]["replicas"].clone();
        let status = match resource {
            "deployments" => {
                json!({"observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas})
            }
            _ => {
                json!({"observedGeneration": generation, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2})
            }
        };
        set_status(api, &mut object, status);
    }
    for request in api.requests() {
        let Some(name) = definition(&request.uri) else { continue };
        if let Some(mut object) = api.get("customresourcedefinitions", "", &name) {
            set_status(api, &mut object, json!({"conditions": [{"type": "Established", "status": "True"}]}));
        }
    }
}

fn set_status(api: &KubeApi, object: &mut Value, status: Value) {
    if object["status"] != status {
        object["status"] = status;
        // It may be another by now, or gone; then there is nothing to run, or it is seen the next time.
        let _ = api.update(object.clone());
    }
}

fn definition(uri: &str) -> Option<String> {
    let name = uri.split_once("/customresourcedefinitions/")?.1;
    Some(name.split(['?', '/']).next()?.to_owned())
}
