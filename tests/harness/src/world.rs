//! What nodes and pods of one cluster share: the run, the mesh file, and when the agents agree with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cgroup::Cgroup;
use crate::cleanup::lock;
use crate::manifests;
use crate::mesh::{MeshFile, TunnelProtocol, Workload, replace};
use crate::node::Node;
use crate::process::tail;
use crate::waypoint::Processes;
use crate::{Controller, RunInfo, until_ok};

/// What nodes and pods share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) run: RunInfo,
    agent_args: Vec<(Option<String>, String)>,
    pub(crate) workers: usize,
    mesh: Mutex<MeshFile>,
    /// The mesh is a directory of YAML that a controller reads, not a file that the agents read.
    controlled: bool,
    /// How often each file was written; what the agents have applied they show by a marker for each.
    revisions: Mutex<BTreeMap<String, u32>>,
    /// Its controller, once there is a node to run it on.
    pub(crate) controller: OnceLock<Controller>,
    /// Names of its waypoints, and their processes.
    pub(crate) waypoints: Mutex<Vec<(String, Processes)>>,
    /// Names of the nodes.
    nodes: Vec<String>,
    /// Names of all namespaces, for the person who debugs.
    hints: Mutex<Vec<String>>,
}

impl World {
    pub(crate) fn new(
        run: RunInfo,
        agent_args: Vec<(Option<String>, String)>,
        workers: usize,
        controlled: bool,
        nodes: Vec<String>,
    ) -> Self {
        Self {
            run,
            agent_args,
            workers,
            mesh: Mutex::default(),
            controlled,
            controller: OnceLock::new(),
            waypoints: Mutex::default(),
            revisions: Mutex::default(),
            nodes,
            hints: Mutex::default(),
        }
    }

    /// The story's own arguments for the agent of a node.
    pub(crate) fn agent_args(&self, node: &str) -> Vec<String> {
        let of_node = |of: &Option<String>| of.as_deref().is_none_or(|of| of == node);
        self.agent_args.iter().filter(|(of, _)| of_node(of)).map(|(_, arg)| arg.clone()).collect()
    }

    pub(crate) fn mesh_path(&self) -> PathBuf {
        self.run.dir().join("mesh.yaml")
    }

    /// The directory that the controller reads.
    pub(crate) fn manifests(&self) -> PathBuf {
        self.run.dir().join(MANIFESTS)
    }

    /// Applies `change` and writes the file with a new marker.
    pub(crate) fn change(&self, change: impl FnOnce(&mut MeshFile)) -> Result<()> {
        let mut mesh = lock(&self.mesh);
        change(&mut mesh);
        mesh.workloads.retain(|workload| workload.namespace != MARKER_NAMESPACE);
        if self.controlled {
            return self.write_manifests(GENERATED, manifests::documents(&mesh, &self.nodes));
        }
        mesh.workloads.push(marker(&self.next_revision(GENERATED)));
        mesh.write(&self.mesh_path())
    }

    /// Writes objects of the story's own, in a file of their own, with a marker.
    pub(crate) fn apply(&self, name: &str, yaml: &str) -> Result<()> {
        self.expect_controlled()?;
        let marker = manifests::to_yaml(&[manifests::marker(&self.next_revision(name))])?;
        replace(
            &self.manifests().join(format!("{name}.yaml")),
            &format!("{}\n---\n{marker}", yaml.trim_end()),
        )
    }

    /// Removes a file of [`World::apply`].
    pub(crate) fn delete(&self, name: &str) -> Result<()> {
        self.expect_controlled()?;
        fs::remove_file(self.manifests().join(format!("{name}.yaml")))?;
        lock(&self.revisions).remove(name);
        Ok(())
    }

    fn expect_controlled(&self) -> Result<()> {
        if self.controlled {
            Ok(())
        } else {
            bail!("this cluster has no controller; build it with `.controlled()`")
        }
    }

    fn write_manifests(&self, name: &str, mut documents: Vec<serde_json::Value>) -> Result<()> {
        fs::create_dir_all(self.manifests())?;
        documents.push(manifests::marker(&self.next_revision(name)));
        replace(&self.manifests().join(format!("{name}.yaml")), &manifests::to_yaml(&documents)?)
    }

    /// Name of the marker of the file's next version.
    fn next_revision(&self, name: &str) -> String {
        let mut revisions = lock(&self.revisions);
        let revision = revisions.entry(name.to_owned()).or_default();
        *revision += 1;
        revision_name(name, *revision)
    }

    /// Changes the entry of one workload.
    pub(crate) fn change_workload(&self, name: &str, change: impl FnOnce(&mut Workload)) -> Result<()> {
        let mut found = false;
        self.change(|mesh| {
            if let Some(workload) = mesh.workloads.iter_mut().find(|workload| workload.name == name) {
                found = true;
                change(workload);
            }
        })?;
        if found { Ok(()) } else { bail!("no workload {name} in the mesh file") }
    }

    /// Remembers how to get a shell there. It joins the cgroup, too: only what runs in a pod's cgroup is captured.
    pub(crate) fn hint(&self, who: &str, netns: &str, cgroup: &Cgroup) {
        let procs = cgroup.path().join("cgroup.procs");
        let shell = format!("sh -c 'echo $$ > {}; exec ip netns exec {netns} bash'", procs.display());
        lock(&self.hints).push(format!("{who}: {shell}"));
    }

    pub(crate) fn hints(&self) -> Vec<String> {
        lock(&self.hints).clone()
    }

    pub(crate) fn settle(&self, nodes: &[Node]) -> Result<()> {
        for node in nodes.iter().filter(|node| node.agent().running()) {
            let what = format!("agent of node {} to apply the mesh file", node.name());
            until_ok(&what, SETTLE, || self.settled(node)).with_context(|| {
                let log = node.agent().log_text().unwrap_or_default();
                format!("end of its log:\n{}", tail(&log, 20))
            })?;
        }
        Ok(())
    }

    fn settled(&self, node: &Node) -> Result<()> {
        let dump = node.agent().config_dump()?;
        let mesh = lock(&self.mesh);
        let listed: Vec<&str> = dump["workloads"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|one| one["namespace"] == MARKER_NAMESPACE)
            .filter_map(|one| one["name"].as_str())
            .collect();
        let revisions = lock(&self.revisions);
        let wanted: Vec<String> = revisions.iter().map(|(name, n)| revision_name(name, *n)).collect();
        if listed.len() != wanted.len() || wanted.iter().any(|name| !listed.contains(&&**name)) {
            bail!("its config dump lists {listed:?} instead of {wanted:?}");
        }
        let local = mesh
            .workloads
            .iter()
            .filter(|workload| workload.node == node.name() && workload.network_namespace.is_some());
        for workload in local {
            let uid = format!("Kubernetes//Pod/{}/{}", workload.namespace, workload.name);
            let state = dump["workloadState"][&uid]["state"].as_str();
            match (workload.tunnel_protocol, state) {
                (TunnelProtocol::Hbone, Some("Up")) | (TunnelProtocol::None, None) => (),
                (wanted, state) => bail!("{uid} should be {wanted:?}, its state is {state:?}"),
            }
        }
        let gone = dump["workloadState"].as_object().into_iter().flatten().find(|(uid, _)| {
            !mesh.workloads.iter().any(|workload| uid.ends_with(&format!("/{}", workload.name)))
        });
        match gone {
            Some((uid, _)) => bail!("{uid} is still enrolled"),
            None => Ok(()),
        }
    }
}

/// A workload outside the mesh whose name is the version of the file.
fn marker(name: &str) -> Workload {
    Workload {
        name: name.to_owned(),
        namespace: MARKER_NAMESPACE.into(),
        service_account: "default".into(),
        node: String::new(),
        addresses: vec![std::net::Ipv4Addr::new(192, 0, 2, 1).into()],
        tunnel_protocol: TunnelProtocol::None,
        network_namespace: None,
        probe_ports: Vec::new(),
        labels: BTreeMap::new(),
        leaving: false,
    }
}

/// How long the agents get to apply a change of the mesh file.
const SETTLE: Duration = Duration::from_secs(30);
/// Kubernetes namespace of the workload that says which version of the file an agent has applied.
pub(crate) const MARKER_NAMESPACE: &str = "weir-harness";
/// The file (without its ending) that the harness writes itself.
const GENERATED: &str = "mesh";

fn revision_name(file: &str, revision: u32) -> String {
    format!("revision-{file}-{revision}")
}
/// The directory that the controller reads, below the run's.
pub(crate) const MANIFESTS: &str = "mesh";
