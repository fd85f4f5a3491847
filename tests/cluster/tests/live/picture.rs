//! All that is in a cluster, to see what is left of something that has gone.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use kube::api::{Api, DynamicObject, ListParams};
use kube::discovery::{Discovery, verbs};
use serde_json::Value;
use weir_cluster::difference;
use weir_cluster::said::NodeState;
use weir_harness::until_ok;

use crate::cluster::Cluster;
use crate::shop::Shop;
use crate::watch::LONG;

/// Objects of all kinds, and what is on each node.
pub(crate) struct Picture(BTreeMap<String, BTreeSet<String>>);

impl Picture {
    /// As it is now.
    pub(crate) fn take(cluster: &Cluster, shop: &Shop) -> Result<Self> {
        let mut lines = objects(cluster)?;
        for (node, pod) in &shop.nodes {
            let text = pod.exec(&["weir-pod", "node-state"])?;
            let state: NodeState = serde_json::from_str(&text).with_context(|| format!("node {node}"))?;
            lines.extend(state.into_iter().map(|(topic, lines)| (format!("{node}, {topic}"), lines)));
        }
        Ok(Self(lines))
    }

    /// Until all is as it was: what is deleted takes its time to go.
    pub(crate) fn until_again(&self, cluster: &Cluster, shop: &Shop) -> Result<()> {
        until_ok("everything to be as it was before", LONG, || {
            let left = difference::lines(&self.0, &Self::take(cluster, shop)?.0);
            ensure!(left.is_empty(), "it is not:\n{}", left.join("\n"));
            Ok(())
        })
    }

    /// How many lines it has.
    pub(crate) fn size(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }
}

fn objects(cluster: &Cluster) -> Result<BTreeMap<String, BTreeSet<String>>> {
    cluster.block_on(async {
        let discovery = Discovery::new(cluster.client()).exclude(NOT_OBJECTS).run().await?;
        let mut all = BTreeMap::new();
        for group in discovery.groups() {
            for (resource, capabilities) in group.recommended_resources() {
                if !capabilities.supports_operation(verbs::LIST) || PASSING.contains(&resource.kind.as_str())
                {
                    continue;
                }
                let api: Api<DynamicObject> = Api::all_with(cluster.client(), &resource);
                let list = api.list(&ListParams::default()).await;
                let list = list.with_context(|| format!("listing {}", resource.kind))?;
                let mut lines = BTreeSet::new();
                for object in list.items {
                    lines.extend(describe(&serde_json::to_value(object)?));
                }
                if !lines.is_empty() {
                    all.insert(format!("{} of {}", resource.kind, resource.api_version), lines);
                }
            }
        }
        Ok(all)
    })
}

/// An object by its name, and each mark that a mesh may have left on it.
fn describe(object: &Value) -> Vec<String> {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    let name = format!("{}/{}", text("namespace"), text("name"));
    let mut lines = vec![name.clone()];
    for field in ["labels", "annotations"] {
        let keys = object["metadata"][field].as_object().into_iter().flatten().map(|(key, _)| key);
        lines.extend(keys.filter(|key| is_of_a_mesh(key)).map(|key| format!("{name} has {key} in {field}")));
    }
    let items = |at: &str| object.pointer(at).and_then(Value::as_array).into_iter().flatten();
    let finalizers = items("/metadata/finalizers").filter_map(Value::as_str);
    let conditions = items("/status/conditions").filter_map(|condition| condition["type"].as_str());
    let marks = finalizers.chain(conditions).filter(|mark| is_of_a_mesh(mark));
    lines.extend(marks.map(|mark| format!("{name} has {mark}")));
    lines
}

fn is_of_a_mesh(word: &str) -> bool {
    word.contains("weir") || word.contains("istio")
}

/// Groups of what is measured and not kept.
const NOT_OBJECTS: &[&str] = &["metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"];
/// They come and go by themselves.
const PASSING: &[&str] = &["Event", "ComponentStatus"];
