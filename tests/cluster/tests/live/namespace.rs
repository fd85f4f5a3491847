//! Namespaces of stories, which go with them.

use anyhow::Result;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Which};
use crate::watch::condition;

/// A namespace of the suite; deleted when it is dropped.
pub(crate) struct Namespace {
    pub(crate) cluster: Cluster,
    pub(crate) name: String,
    keep: bool,
}

impl Cluster {
    /// Makes one.
    pub(crate) fn namespace(&self, name: &str) -> Result<Namespace> {
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {OURS: "live"}},
        }))?;
        Ok(Namespace { cluster: self.clone(), name: name.to_owned(), keep: self.settings().keep })
    }

    /// Takes away what a run before left that could not end.
    pub(crate) fn sweep(&self) -> Result<()> {
        let left = Which::with("v1", "Namespace", "", &format!("{OURS}=live"));
        for namespace in self.list(&left)? {
            println!("live: deleting namespace {}, of a run before", namespace["metadata"]["name"]);
            self.delete(&Which::of(&namespace))?;
        }
        self.until_gone(&left)
    }
}

impl Namespace {
    /// Sets a label, or (`None`) takes it away.
    pub(crate) fn label(&self, name: &str, value: Option<&str>) -> Result<()> {
        self.cluster.merge(&self.which(), &json!({"metadata": {"labels": {name: value}}}))
    }

    /// `istio.io/dataplane-mode`.
    pub(crate) fn enrol(&self) -> Result<()> {
        self.label(MODE, Some("ambient"))
    }

    /// Makes an object here.
    pub(crate) fn apply(&self, api_version: &str, kind: &str, name: &str, rest: Value) -> Result<Which> {
        let mut object = json!({
            "apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": self.name},
        });
        for (key, value) in rest.as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        self.cluster.apply(&object).map(|object| Which::of(&object))
    }

    /// A policy, until the mesh says that it understood.
    pub(crate) fn policy(&self, kind: &str, name: &str, spec: Value) -> Result<Policy> {
        let which = self.apply("security.istio.io/v1", kind, name, json!({"spec": spec}))?;
        self.cluster.until_one("the policy to be accepted", &which, |policy| {
            let accepted = condition(policy, "Accepted")?;
            anyhow::ensure!(accepted["status"] == "True", "{accepted}");
            anyhow::ensure!(accepted["observedGeneration"] == policy["metadata"]["generation"], "{accepted}");
            Ok(())
        })?;
        Ok(Policy { cluster: self.cluster.clone(), which })
    }

    /// A service of the pods with this label `app`; the name of the port says HTTP.
    pub(crate) fn service(&self, app: &str, port: u16) -> Result<()> {
        let spec = json!({"selector": {"app": app}, "ports": [{"name": "http", "port": port}]});
        self.apply("v1", "Service", app, json!({"spec": spec})).map(drop)
    }

    /// Deletes it, and waits until it is gone.
    pub(crate) fn end(self) -> Result<()> {
        self.cluster.delete(&self.which())?;
        self.cluster.until_gone(&self.which())
    }

    fn which(&self) -> Which {
        Which::one("v1", "Namespace", "", &self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.keep {
            println!("live: namespace {} is kept", self.name);
        } else if let Err(error) = self.cluster.delete(&self.which()) {
            eprintln!("live: namespace {} is left in the cluster: {error:#}", self.name);
        }
    }
}

/// A policy; deleted when it is dropped.
pub(crate) struct Policy {
    cluster: Cluster,
    which: Which,
}

impl Policy {
    /// Deletes it.
    pub(crate) fn end(self) -> Result<()> {
        self.cluster.delete(&self.which)
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Err(error) = self.cluster.delete(&self.which) {
            eprintln!("live: {} is left in the cluster: {error:#}", self.which);
        }
    }
}

/// Who is in the mesh.
pub(crate) const MODE: &str = "istio.io/dataplane-mode";
/// By which the suite knows its own.
const OURS: &str = "weir.dev/suite";
