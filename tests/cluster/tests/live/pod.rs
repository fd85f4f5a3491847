//! Pods of stories.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use weir_cluster::said::{Answers, Tally};

use crate::cluster::{Cluster, Which};
use crate::namespace::Namespace;
use crate::watch::condition;

/// A pod that runs.
pub(crate) struct Pod {
    cluster: Cluster,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// A pod to be.
pub(crate) struct PodSpec<'a> {
    namespace: &'a Namespace,
    name: String,
    labels: Value,
    spec: Value,
}

impl Namespace {
    /// A pod with an account of its own name, which serves HTTP on 8080.
    pub(crate) fn pod(&self, name: &str) -> PodSpec<'_> {
        let spec = json!({
            "serviceAccountName": name,
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "main",
                "image": self.cluster.settings().image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["weir-pod", "serve", "--http", "8080"],
            }],
        });
        PodSpec { namespace: self, name: name.to_owned(), labels: json!({"app": name}), spec }
    }
}

impl PodSpec<'_> {
    /// Another program.
    pub(crate) fn runs(mut self, command: &[&str]) -> Self {
        self.spec["containers"][0]["command"] = json!(command);
        self
    }

    /// On this node.
    pub(crate) fn on(mut self, node: &str) -> Self {
        self.spec["nodeSelector"] = json!({"kubernetes.io/hostname": node});
        self.spec["tolerations"] = json!([{"operator": "Exists"}]);
        self
    }

    /// With another account.
    pub(crate) fn account(mut self, name: &str) -> Self {
        self.spec["serviceAccountName"] = name.into();
        self
    }

    /// With a label more.
    pub(crate) fn label(mut self, name: &str, value: &str) -> Self {
        self.labels[name] = value.into();
        self
    }

    /// With other fields of its `spec`.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.spec);
        self
    }

    /// Makes it, and waits until it is ready.
    pub(crate) fn start(self) -> Result<Pod> {
        let account = self.spec["serviceAccountName"].as_str().unwrap_or("default");
        self.namespace.apply("v1", "ServiceAccount", account, json!({}))?;
        let (cluster, namespace) = (self.namespace.cluster.clone(), self.namespace.name.clone());
        cluster.apply(&json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": self.name, "namespace": namespace, "labels": self.labels},
            "spec": self.spec,
        }))?;
        let pod = Pod { cluster, namespace, name: self.name };
        pod.until("ready", |pod| {
            let ready = condition(pod, "Ready")?;
            ensure!(ready["status"] == "True", "{ready} {}", pod["status"]["containerStatuses"]);
            Ok(())
        })?;
        Ok(pod)
    }
}

impl Pod {
    /// As the API has it.
    pub(crate) fn object(&self) -> Result<Value> {
        self.cluster.get(&self.which())?.with_context(|| format!("{} is gone", self.which()))
    }

    /// Its first address.
    pub(crate) fn address(&self) -> Result<String> {
        let object = self.object()?;
        object["status"]["podIP"].as_str().map(str::to_owned).context("it has no address")
    }

    /// Until it is as `judge` wants it.
    pub(crate) fn until(&self, what: &str, judge: impl FnMut(&Value) -> Result<()>) -> Result<()> {
        self.cluster.until_one(&format!("pod {} to be {what}", self.name), &self.which(), judge)
    }

    /// Until the mesh has it: by its condition and by the annotation that others go by.
    pub(crate) fn until_captured(&self) -> Result<()> {
        self.until("captured", |pod| {
            let captured = condition(pod, CAPTURED)?;
            ensure!(captured["status"] == "True", "{captured}");
            let annotations = &pod["metadata"]["annotations"];
            ensure!(annotations[REDIRECTION] == "enabled", "annotations: {annotations}");
            Ok(())
        })
    }

    /// Until nothing on it speaks of the mesh any more.
    pub(crate) fn until_free(&self) -> Result<()> {
        self.until("free", |pod| {
            if let Ok(condition) = condition(pod, CAPTURED) {
                bail!("{condition}");
            }
            let annotations = &pod["metadata"]["annotations"];
            ensure!(annotations.get(REDIRECTION).is_none(), "annotations: {annotations}");
            Ok(())
        })
    }

    /// Sets a label, or (`None`) takes it away.
    pub(crate) fn label(&self, name: &str, value: Option<&str>) -> Result<()> {
        self.cluster.merge(&self.which(), &json!({"metadata": {"labels": {name: value}}}))
    }

    /// Its uid, and of each container when it began and how often: the same for as long as nothing was restarted.
    pub(crate) fn life(&self) -> Result<Value> {
        let object = self.object()?;
        let containers = object["status"]["containerStatuses"].as_array().into_iter().flatten();
        let containers: Vec<_> = containers
            .map(|container| json!([container["name"], container["restartCount"], container["containerID"]]))
            .collect();
        Ok(json!([object["metadata"]["uid"], containers]))
    }

    /// Asks from inside the pod, whatever comes.
    pub(crate) fn ask(&self, url: &str, options: &[&str]) -> Result<Answers> {
        let command = [&["weir-pod", "ask", url, "--any"], options].concat();
        let out = self.exec(&command)?;
        serde_json::from_str(&out).with_context(|| format!("not an answer: {out}"))
    }

    /// Asks, and must be answered.
    pub(crate) fn reach(&self, url: &str) -> Result<Value> {
        let answers = self.ask(url, &["--limit", "20000"])?;
        ensure!(answers.are_good(), "{} asked {url}: {answers:?}", self.name);
        Ok(answers.json())
    }

    /// Asks, and must not be answered with success.
    pub(crate) fn is_refused(&self, url: &str) -> Result<()> {
        let answers = self.ask(url, &["--limit", "5000"])?;
        ensure!(!answers.are_good(), "{} reached {url}, and should not: {answers:?}", self.name);
        Ok(())
    }

    /// How a `weir-pod load` goes that tells it at [`REPORT`].
    pub(crate) fn tally(&self) -> Result<Tally> {
        let answers = self.ask(&format!("http://{REPORT}/"), &[])?;
        let text = &answers.answers.first().with_context(|| format!("{answers:?}"))?.body;
        serde_json::from_str(text).with_context(|| format!("no tally: {text}"))
    }

    /// A program in it that must succeed; what it printed.
    pub(crate) fn exec(&self, command: &[&str]) -> Result<String> {
        let ended = self.cluster.exec(&self.namespace, &self.name, command)?;
        ended.success().with_context(|| format!("{} in pod {}", command.join(" "), self.name))
    }

    /// Deletes it, and waits until it is gone.
    pub(crate) fn end(self) -> Result<()> {
        self.cluster.delete(&self.which())?;
        self.cluster.until_gone(&self.which())
    }

    fn which(&self) -> Which {
        Which::one("v1", "Pod", &self.namespace, &self.name)
    }
}

/// The mesh's word about a pod.
pub(crate) const CAPTURED: &str = "weir.dev/Captured";
const REDIRECTION: &str = "ambient.istio.io/redirection";
/// Where a load tells how it goes.
pub(crate) const REPORT: &str = "127.0.0.1:9901";
