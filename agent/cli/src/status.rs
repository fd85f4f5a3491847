//! How the mesh stands: who runs, who has heard the newest, which pods are captured and which are not.

use serde::Serialize;
use serde_json::Value;

use crate::cluster::{Cluster, ClusterError};
use crate::live::{self, ADMIN, MONITORING, Process};
use crate::output;

/// All of it.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Replicas of the controller.
    pub controllers: Vec<Controller>,
    /// Agents, by node.
    pub agents: Vec<Agent>,
    /// Waypoints' pods.
    pub waypoints: Vec<Waypoint>,
    /// Nodes without an agent: their pods are not in the mesh.
    pub nodes_without_agent: Vec<String>,
}

/// A replica of the controller.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Controller {
    /// Its pod, or address.
    pub process: String,
    /// How many clients it has.
    pub streams: usize,
    /// Why it does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A node's agent.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    /// Its pod, or address.
    pub process: String,
    /// Its node.
    pub node: String,
    /// Its version.
    pub version: String,
    /// How it captures.
    pub mode: String,
    /// How it stands to the controller.
    pub sync: Sync,
    /// Pods that are captured.
    pub captured: u64,
    /// Pods that should be, and are not as they should be.
    pub unprotected: Vec<Unprotected>,
    /// Why it does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A pod that is not as it should be.
#[derive(Debug, PartialEq, Serialize)]
pub struct Unprotected {
    /// Which one.
    pub pod: String,
    /// Why.
    pub reason: String,
}

/// A waypoint's pod.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waypoint {
    /// Its pod, or address.
    pub process: String,
    /// Its Gateway.
    pub gateway: String,
    /// Its version.
    pub version: String,
    /// How it stands to the controller.
    pub sync: Sync,
    /// Services that it serves.
    pub services: usize,
    /// What it waits for.
    pub pending: Vec<String>,
    /// Why it does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How a client stands to the controller.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "state", content = "why")]
pub enum Sync {
    /// Nothing is known of it.
    #[default]
    Unknown,
    /// It has the newest of all.
    Synced,
    /// So many changes are on their way.
    Behind(u64),
    /// It refused something.
    Refused(String),
    /// It is not connected.
    Apart(String),
}

/// Where to look.
#[derive(Debug, Default)]
pub struct Places {
    /// Agents' admin endpoints, if not those of the cluster.
    pub agents: Vec<Process>,
    /// Controllers' monitoring endpoints.
    pub controllers: Vec<Process>,
    /// Waypoints' admin endpoints.
    pub waypoints: Vec<Process>,
    /// All nodes that should have an agent.
    pub nodes: Vec<String>,
}

impl Places {
    /// Those of a cluster.
    ///
    /// # Errors
    /// The cluster does not say.
    pub async fn of(cluster: &Cluster, namespace: &str) -> Result<Self, ClusterError> {
        let processes = |pods: Vec<Value>| pods.iter().map(live::process).collect();
        let nodes = cluster.list("v1", "Node", "", "kubernetes.io/os!=windows").await?;
        let name = |node: &Value| node["metadata"]["name"].as_str().map(str::to_owned);
        Ok(Self {
            agents: processes(live::pods(cluster, namespace, "app=weir-agent").await?),
            controllers: processes(live::pods(cluster, namespace, "app=weir-controller").await?),
            waypoints: processes(live::pods(cluster, "", live::WAYPOINTS).await?),
            nodes: nodes.iter().filter_map(name).collect(),
        })
    }
}

impl Status {
    /// Asks everybody. Who does not answer is in it with the reason.
    pub async fn ask(cluster: Option<&Cluster>, places: Places) -> Self {
        let controllers = live::pages(cluster, places.controllers, MONITORING, "/debug/connections").await;
        let streams: Vec<&Value> =
            controllers.iter().filter_map(|(_, page)| page.as_ref().ok()?.as_array()).flatten().collect();
        let agents = live::pages(cluster, places.agents, ADMIN, "/config_dump").await;
        let agents: Vec<_> = agents.iter().map(|(process, page)| agent(process, page, &streams)).collect();
        let waypoints = live::pages(cluster, places.waypoints, ADMIN, "/config_dump").await;
        let has_agent = |node: &String| agents.iter().any(|agent| agent.node == *node);
        let has_silent = agents.iter().any(|agent| agent.node.is_empty());
        let nodes_without_agent = match has_silent {
            // Whose node it is, who does not answer, is not known.
            true => Vec::new(),
            false => places.nodes.into_iter().filter(|node| !has_agent(node)).collect(),
        };
        Self {
            controllers: controllers.iter().map(|(process, page)| controller(process, page)).collect(),
            waypoints: waypoints.iter().map(|(process, page)| waypoint(process, page, &streams)).collect(),
            agents,
            nodes_without_agent,
        }
    }

    /// Whether all is as it should be.
    #[must_use]
    pub fn is_well(&self) -> bool {
        let is_well = |sync: &Sync| matches!(sync, Sync::Synced | Sync::Unknown | Sync::Behind(_));
        self.nodes_without_agent.is_empty()
            && self.controllers.iter().all(|one| one.problem.is_none())
            && self
                .agents
                .iter()
                .all(|one| one.problem.is_none() && one.unprotected.is_empty() && is_well(&one.sync))
            && self
                .waypoints
                .iter()
                .all(|one| one.problem.is_none() && one.pending.is_empty() && is_well(&one.sync))
    }

    /// For people.
    #[must_use]
    pub fn tables(&self) -> String {
        let controllers = self.controllers.iter().map(|one| {
            [one.process.clone(), one.streams.to_string(), one.problem.clone().unwrap_or_else(|| "ok".into())]
        });
        let mut text = output::table(&["CONTROLLER", "CLIENTS", "STATE"], controllers);
        text += "\n";
        let agents = self.agents.iter().map(|one| match &one.problem {
            Some(problem) => [
                "?".into(),
                one.process.clone(),
                "-".into(),
                "-".into(),
                problem.clone(),
                "-".into(),
                "-".into(),
            ],
            None => [
                one.node.clone(),
                one.process.clone(),
                one.version.clone(),
                one.mode.clone(),
                one.sync.to_string(),
                one.captured.to_string(),
                one.unprotected.len().to_string(),
            ],
        });
        text +=
            &output::table(&["NODE", "AGENT", "VERSION", "MODE", "SYNC", "CAPTURED", "UNPROTECTED"], agents);
        for node in &self.nodes_without_agent {
            text += &format!("{node}: no agent; its pods are not in the mesh\n");
        }
        if !self.waypoints.is_empty() {
            let waypoints = self.waypoints.iter().map(|one| {
                let state = one.problem.clone().unwrap_or_else(|| match one.pending.is_empty() {
                    true => "ready".into(),
                    false => format!("waits for {}", one.pending.join(", ")),
                });
                [
                    one.gateway.clone(),
                    one.process.clone(),
                    one.version.clone(),
                    one.sync.to_string(),
                    one.services.to_string(),
                    state,
                ]
            });
            text += "\n";
            text += &output::table(&["WAYPOINT", "POD", "VERSION", "SYNC", "SERVICES", "STATE"], waypoints);
        }
        let unprotected: Vec<_> = self.agents.iter().flat_map(|one| &one.unprotected).collect();
        if !unprotected.is_empty() {
            text += "\n";
            let rows = unprotected.iter().map(|one| [&one.pod, &one.reason]);
            text += &output::table(&["UNPROTECTED POD", "WHY"], rows);
        }
        text
    }
}

impl std::fmt::Display for Sync {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("-"),
            Self::Synced => f.write_str("synced"),
            Self::Behind(by) => write!(f, "{by} behind"),
            Self::Refused(why) => write!(f, "refuses: {why}"),
            Self::Apart(why) => write!(f, "not connected: {why}"),
        }
    }
}

type Page = Result<Value, String>;

fn controller(process: &Process, page: &Page) -> Controller {
    let streams = page.as_ref().ok().and_then(Value::as_array).map_or(0, Vec::len);
    Controller { process: process.to_string(), streams, problem: page.as_ref().err().cloned() }
}

fn agent(process: &Process, page: &Page, streams: &[&Value]) -> Agent {
    let process_name = process.to_string();
    let dump = match page {
        Ok(dump) => dump,
        Err(why) => return Agent { process: process_name, problem: Some(why.clone()), ..Agent::default() },
    };
    let text = |at: &str| dump.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let unprotected = dump.pointer("/protection/unprotected").and_then(Value::as_array).into_iter().flatten();
    let reason = |one: &Value| Unprotected {
        pod: one["uid"].as_str().unwrap_or_default().to_owned(),
        reason: one["reason"].as_str().unwrap_or_default().to_owned(),
    };
    Agent {
        process: process_name,
        node: text("/config/node"),
        version: text("/version"),
        mode: text("/config/captureMode"),
        sync: sync(process, &dump["discovery"], streams),
        captured: dump.pointer("/protection/protected").and_then(Value::as_u64).unwrap_or_default(),
        unprotected: unprotected.map(reason).collect(),
        problem: None,
    }
}

fn waypoint(process: &Process, page: &Page, streams: &[&Value]) -> Waypoint {
    let process_name = process.to_string();
    let dump = match page {
        Ok(dump) => dump,
        Err(why) => {
            return Waypoint { process: process_name, problem: Some(why.clone()), ..Waypoint::default() };
        }
    };
    let text = |at: &str| dump[at].as_str().unwrap_or_default().to_owned();
    let pending = dump["pending"].as_array().into_iter().flatten();
    Waypoint {
        process: process_name,
        gateway: text("gateway"),
        version: text("version"),
        sync: sync(process, &dump["discovery"], streams),
        services: dump["frontends"].as_array().map_or(0, Vec::len),
        pending: pending.filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        problem: None,
    }
}

/// What it says itself, and what its controller says of it.
fn sync(process: &Process, discovery: &Value, streams: &[&Value]) -> Sync {
    if let Some(refused) = discovery["rejected"].as_array().and_then(|all| all.first()) {
        let text = |field: &str| refused[field].as_str().unwrap_or_default().to_owned();
        return Sync::Refused(format!("{}: {}", text("name"), text("reason")));
    }
    match discovery.get("connected").and_then(Value::as_bool) {
        None => return Sync::Unknown,
        Some(false) => {
            return Sync::Apart(discovery["problem"].as_str().unwrap_or("it does not say why").to_owned());
        }
        Some(true) => {}
    }
    let Process::Pod(pod) = process else { return Sync::Synced };
    let named = format!("~{}.{}~", pod.name, pod.namespace);
    let is_its = |stream: &&&Value| stream["node"].as_str().is_some_and(|node| node.contains(&named));
    let types = streams.iter().filter(is_its).filter_map(|stream| stream["types"].as_array()).flatten();
    let waits = |kind: &Value| kind["behind"].as_u64().unwrap_or(0) + kind["owed"].as_u64().unwrap_or(0);
    match types.map(waits).sum() {
        0 => Sync::Synced,
        behind => Sync::Behind(behind),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::new(json!({"connected": true}), json!([{"behind": 0, "owed": 0}]), "synced")]
    #[case::late(json!({"connected": true}), json!([{"behind": 2, "owed": 1}]), "3 behind")]
    #[case::refuses(json!({"connected": true, "rejected": [{"name": "a", "reason": "b"}]}), json!([]), "refuses: a: b")]
    #[case::apart(json!({"connected": false, "problem": "connection refused"}), json!([]), "not connected: connection refused")]
    #[case::by_file(json!(null), json!([]), "-")]
    fn syncs(#[case] discovery: Value, #[case] types: Value, #[case] expected: &str) {
        let process = Process::Pod(crate::cluster::PodRef { namespace: "n".into(), name: "p".into() });
        let stream = json!({"node": "ztunnel~10.0.0.1~p.n~n.svc.cluster.local", "types": types});
        let other = json!({"node": "ztunnel~10.0.0.1~p2.n~n.svc.cluster.local", "types": [{"behind": 9}]});
        assert_eq!(sync(&process, &discovery, &[&stream, &other]).to_string(), expected);
    }

    #[test]
    fn whoever_is_not_as_he_should_be_is_told() {
        let dump = json!({
            "version": "0.1.0", "config": {"node": "a", "captureMode": "sk_lookup"}, "discovery": {"connected": true},
            "protection": {"protected": 3, "unprotected": [{"uid": "Kubernetes//Pod/x/y", "reason": "no cgroup"}]},
        });
        let process = Process::At("127.0.0.1:15000".parse().unwrap());
        let agents = vec![agent(&process, &Ok(dump), &[]), agent(&process, &Err("no answer".into()), &[])];
        let status = Status { agents, nodes_without_agent: vec!["b".into()], ..Status::default() };
        assert!(!status.is_well());
        let text = status.tables();
        assert!(text.contains("a     127.0.0.1:15000  0.1.0    sk_lookup  synced     3         1"), "{text}");
        assert!(text.contains("?     127.0.0.1:15000  -        -          no answer  -         -"), "{text}");
        assert!(text.contains("Kubernetes//Pod/x/y  no cgroup"), "{text}");
        assert!(text.contains("b: no agent"), "{text}");
    }
}
