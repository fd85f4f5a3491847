//! What nodes and pods of one cluster share: the run, the mesh file, and when the agents agree with it.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cgroup::Cgroup;
use crate::cleanup::lock;
use crate::mesh::{MeshFile, TunnelProtocol, Workload};
use crate::node::Node;
use crate::process::tail;
use crate::{RunInfo, until_ok};

/// What nodes and pods share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) run: RunInfo,
    agent_args: Vec<(Option<String>, String)>,
    pub(crate) workers: usize,
    mesh: Mutex<MeshFile>,
    revision: AtomicU32,
    /// Names of all namespaces, for the person who debugs.
    hints: Mutex<Vec<String>>,
}

impl World {
    pub(crate) fn new(run: RunInfo, agent_args: Vec<(Option<String>, String)>, workers: usize) -> Self {
        Self {
            run,
            agent_args,
            workers,
            mesh: Mutex::default(),
            revision: AtomicU32::new(0),
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

    /// Applies `change` and writes the file with a new marker.
    pub(crate) fn change(&self, change: impl FnOnce(&mut MeshFile)) -> Result<()> {
        let mut mesh = lock(&self.mesh);
        change(&mut mesh);
        let revision = self.revision.fetch_add(1, Ordering::Relaxed) + 1;
        mesh.workloads.retain(|workload| workload.namespace != MARKER_NAMESPACE);
        mesh.workloads.push(marker(revision));
        mesh.write(&self.mesh_path())
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
        let marker = marker(self.revision.load(Ordering::Relaxed)).name;
        let listed = |name: &str| {
            dump["workloads"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == name))
        };
        if !listed(&marker) {
            bail!("its config dump does not list {marker}");
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
fn marker(revision: u32) -> Workload {
    Workload {
        name: format!("revision-{revision}"),
        namespace: MARKER_NAMESPACE.into(),
        service_account: "default".into(),
        node: String::new(),
        addresses: vec![std::net::Ipv4Addr::new(192, 0, 2, 1).into()],
        tunnel_protocol: TunnelProtocol::None,
        network_namespace: None,
        probe_ports: Vec::new(),
    }
}

/// How long the agents get to apply a change of the mesh file.
const SETTLE: Duration = Duration::from_secs(30);
/// Kubernetes namespace of the workload that says which version of the file an agent has applied.
const MARKER_NAMESPACE: &str = "weir-harness";
