//! The pods that live through everything, from before there is a mesh until after.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use weir_cluster::said::Answers;
use weir_harness::Metrics;

use crate::cluster::{Cluster, Which};
use crate::namespace::Namespace;
use crate::pod::Pod;
use crate::weir::SYSTEM;

/// A client and its server on two nodes (if there are two), somebody else in their namespace, and somebody in another.
pub(crate) struct Shop {
    pub(crate) home: Namespace,
    pub(crate) client: Pod,
    pub(crate) server: Pod,
    /// In the namespace, with an account of its own.
    pub(crate) thief: Pod,
    /// In no mesh, ever.
    pub(crate) outsider: Pod,
    /// One on each node, with all rights there.
    pub(crate) nodes: BTreeMap<String, Pod>,
    /// What is asked for.
    pub(crate) url: String,
    lives: Vec<Value>,
    _others: [Namespace; 2],
}

impl Shop {
    /// Starts them all.
    pub(crate) fn open(cluster: &Cluster) -> Result<Self> {
        let names = nodes(cluster)?;
        let (near, far) = (names.first().context("no node runs pods")?, names.last().context("no node")?);
        let watched = cluster.namespace("weir-live-nodes")?;
        watched.label("pod-security.kubernetes.io/enforce", Some("privileged"))?;
        let nodes = names.iter().map(|node| Ok((node.clone(), on_node(&watched, node)?)));
        let nodes = nodes.collect::<Result<BTreeMap<_, _>>>()?;
        let home = cluster.namespace("weir-live-shop")?;
        let server = home.pod("server").on(far).start()?;
        home.service("server", 8080)?;
        let client = home.pod("client").on(near).start()?;
        let thief = home.pod("thief").on(near).start()?;
        let outside = cluster.namespace("weir-live-outside")?;
        let outsider = outside.pod("outsider").on(near).start()?;
        let url = format!("http://server.{}:8080/", home.name);
        client.reach(&url).context("without a mesh; does the cluster have DNS?")?;
        let mut shop = Self {
            home,
            client,
            server,
            thief,
            outsider,
            nodes,
            url,
            lives: Vec::new(),
            _others: [watched, outside],
        };
        shop.lives = shop.lives()?;
        Ok(shop)
    }

    /// Pods that the namespace's label takes in.
    pub(crate) fn members(&self) -> [&Pod; 3] {
        [&self.client, &self.server, &self.thief]
    }

    /// No pod was made anew, no container started again, since the shop opened.
    pub(crate) fn nobody_was_restarted(&self) -> Result<()> {
        let now = self.lives()?;
        ensure!(now == self.lives, "before: {:?}\nnow: {now:?}", self.lives);
        Ok(())
    }

    /// The node that a pod is on.
    pub(crate) fn node_of(&self, pod: &Pod) -> Result<(&str, &Pod)> {
        let object = pod.object()?;
        let node = object["spec"]["nodeName"].as_str().context("it is on no node")?;
        self.nodes.get_key_value(node).map(|(name, pod)| (name.as_str(), pod)).context("an unknown node")
    }

    /// What the agent says that carries a pod's traffic.
    pub(crate) fn metrics_of(&self, pod: &Pod) -> Result<Metrics> {
        let (_, node) = self.node_of(pod)?;
        let Answers { answers, errors } = node.ask("http://127.0.0.1:15020/metrics", &[])?;
        let text = &answers.first().with_context(|| format!("no metrics: {errors:?}"))?.body;
        Ok(Metrics::parse(text))
    }

    /// The mesh's own pods of a sort, but for those that are going.
    pub(crate) fn pods_of(&self, app: &str) -> Result<Vec<Value>> {
        let mut pods = self.home.cluster.list(&Which::with("v1", "Pod", SYSTEM, &format!("app={app}")))?;
        pods.retain(|pod| pod["metadata"].get("deletionTimestamp").is_none_or(Value::is_null));
        Ok(pods)
    }

    /// The agent of a node.
    pub(crate) fn agent_on(&self, node: &str) -> Result<Value> {
        let agents = self.pods_of("weir-agent")?;
        let found = agents.into_iter().find(|pod| pod["spec"]["nodeName"] == node);
        found.with_context(|| format!("no agent on {node}"))
    }

    fn lives(&self) -> Result<Vec<Value>> {
        [&self.client, &self.server, &self.thief, &self.outsider].map(Pod::life).into_iter().collect()
    }
}

/// Nodes that are ready and take pods, by name.
fn nodes(cluster: &Cluster) -> Result<Vec<String>> {
    let is_ready = |node: &Value| {
        crate::watch::condition(node, "Ready").is_ok_and(|ready| ready["status"] == "True")
            && node["spec"]["unschedulable"] != true
    };
    let all = cluster.list(&Which::with("v1", "Node", "", "kubernetes.io/os=linux"))?;
    let names = all.iter().filter(|node| is_ready(node)).filter_map(|node| node["metadata"]["name"].as_str());
    let mut names: Vec<_> = names.map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

fn on_node(namespace: &Namespace, node: &str) -> Result<Pod> {
    let spec = namespace.pod(&format!("on-{node}")).runs(&["weir-pod", "serve"]).account("node").on(node);
    let pod = spec.with(|spec| {
        spec["hostPID"] = true.into();
        spec["hostNetwork"] = true.into();
        spec["containers"][0]["securityContext"] = json!({"privileged": true, "runAsUser": 0});
    });
    pod.start()
}
