//! The cluster: nodes, the link between them, and the mesh file that their agents read.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, bail};

use crate::cleanup::lock;
use crate::mesh::{MeshFile, Mode, PeerAuthentication, Service};
use crate::node::Node;
use crate::process::{Process, tail};
use crate::world::World;
use crate::{Controller, RunInfo, WaypointBuilder, require_root};

/// A running cluster; dropping it removes everything that it made.
#[derive(Debug)]
pub struct Cluster {
    world: Arc<World>,
    nodes: Vec<Node>,
    kept: bool,
}

/// How a cluster is to be built.
#[derive(Debug)]
pub struct Builder {
    label: String,
    nodes: usize,
    agent_args: Vec<(Option<String>, String)>,
    workers: usize,
    controller_args: Option<Vec<String>>,
}

impl Cluster {
    /// Two nodes, `a` and `b`, joined by a routed link; no pods, agents not running yet.
    pub fn two_nodes(label: &str) -> Result<Self> {
        Self::builder(label).build()
    }

    /// A cluster that differs from [`Cluster::two_nodes`].
    #[must_use]
    pub fn builder(label: &str) -> Builder {
        Builder {
            label: label.to_owned(),
            nodes: 2,
            agent_args: Vec::new(),
            workers: 2,
            controller_args: None,
        }
    }

    /// The node of that name.
    ///
    /// # Panics
    /// When there is none: a story that names a wrong node is wrong.
    #[must_use]
    pub fn node(&self, name: &str) -> Node {
        match self.nodes.iter().find(|node| node.name() == name) {
            Some(node) => node.clone(),
            None => panic!("no node {name:?} in this cluster"),
        }
    }

    /// All nodes.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Id of the run, for [`crate::tear_down`].
    #[must_use]
    pub fn id(&self) -> &str {
        &self.world.run.id
    }

    /// Directory of the run's files (logs, captures, mesh file).
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.world.run.dir()
    }

    /// The controller of a cluster that was built with [`Builder::controlled`].
    ///
    /// # Panics
    /// When there is none: a story that asks for it is wrong.
    #[must_use]
    pub fn controller(&self) -> &Controller {
        match self.world.controller.get() {
            Some(controller) => controller,
            None => panic!("this cluster has no controller; build it with `.controlled()`"),
        }
    }

    /// A waypoint of this name, to be made with its Gateway.
    #[must_use]
    pub fn waypoint(&self, name: &str) -> WaypointBuilder {
        WaypointBuilder::new(&self.world, &self.nodes[0], name)
    }

    /// Writes Kubernetes objects into the controller's directory, in file `name`, and waits until every running agent has
    /// what the file says.
    pub fn apply(&self, name: &str, yaml: &str) -> Result<()> {
        self.world.apply(name, yaml)?;
        self.settle()
    }

    /// As [`Cluster::apply`], without waiting: there may be nobody who reads it.
    pub fn write(&self, name: &str, yaml: &str) -> Result<()> {
        self.world.apply(name, yaml)
    }

    /// Removes what [`Cluster::apply`] wrote as `name`, and waits for it.
    pub fn delete(&self, name: &str) -> Result<()> {
        self.world.delete(name)?;
        self.settle()
    }

    /// As [`Cluster::delete`], without waiting.
    pub fn delete_unseen(&self, name: &str) -> Result<()> {
        self.world.delete(name)
    }

    /// Starts the controller, if there is one, and the agents that do not run, and waits until all agree with the mesh.
    pub fn up(&self) -> Result<()> {
        if let Some(controller) = self.world.controller.get() {
            controller.start()?;
        }
        // All at once: a self-test takes a moment on each node.
        for node in &self.nodes {
            node.agent().launch()?;
        }
        for node in &self.nodes {
            node.agent().wait_ready()?;
        }
        self.settle()
    }

    /// Waits until every running agent has applied the mesh file.
    pub fn settle(&self) -> Result<()> {
        self.world.settle(&self.nodes)
    }

    /// Changes the mesh file as a whole, and waits until the agents have applied it.
    pub fn change(&self, change: impl FnOnce(&mut MeshFile)) -> Result<()> {
        self.world.change(change)?;
        self.settle()
    }

    /// As [`Cluster::change`], without waiting: there may be nobody who reads it.
    pub fn change_unseen(&self, change: impl FnOnce(&mut MeshFile)) -> Result<()> {
        self.world.change(change)
    }

    /// Makes plaintext from outside the mesh refused (or taken) everywhere.
    pub fn set_strict(&self, strict: bool) -> Result<()> {
        let mode = if strict { Mode::Strict } else { Mode::Permissive };
        self.change(|mesh| {
            mesh.peer_authentication.retain(|rule| rule.name != "mesh-default");
            mesh.peer_authentication.push(PeerAuthentication {
                name: "mesh-default".into(),
                namespace: String::new(),
                workloads: Vec::new(),
                mode,
                port_level_mtls: std::collections::BTreeMap::new(),
            });
        })
    }

    /// Adds (or replaces) a service.
    pub fn service(&self, service: Service) -> Result<()> {
        self.change(|mesh| {
            mesh.services.retain(|other| other.hostname != service.hostname);
            mesh.services.push(service);
        })
    }

    /// Path of the mesh file.
    #[must_use]
    pub fn mesh_file(&self) -> PathBuf {
        self.world.mesh_path()
    }

    /// Lines that enter each node and pod from a shell.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        self.world.hints()
    }

    /// Leaves everything running when this process ends; [`crate::tear_down`] with the id ends it.
    pub fn keep(&mut self) -> Result<()> {
        self.world.run.keep()?;
        self.kept = true;
        Ok(())
    }

    /// Ends the cluster now, and says what could not be removed.
    pub fn end(mut self) -> Result<()> {
        self.kept = true;
        self.world.run.end()
    }

    fn explain(&self) {
        eprintln!("--- weir-harness: cluster {} of the failed story ---", self.id());
        for hint in self.hints() {
            eprintln!("  {hint}");
        }
        if let Some(controller) = self.world.controller.get() {
            eprintln!("--- controller, end of its log ---\n{}", tail(&controller.log_text(), 12));
        }
        for (name, processes) in lock(&self.world.waypoints).iter() {
            let log: String = lock(processes).iter().map(Process::log).collect();
            eprintln!("--- waypoint {name}, end of its log ---\n{}", tail(&log, 12));
        }
        for node in &self.nodes {
            if let Some(log) = node.agent().log_text() {
                eprintln!("--- agent of node {}, end of its log ---\n{}", node.name(), tail(&log, 12));
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if std::thread::panicking() {
            self.explain();
            if std::env::var_os("WEIR_TEST_KEEP").is_some() && self.keep().is_ok() {
                eprintln!("--- kept; `cargo xtask demo --down` removes it ---");
                return;
            }
        }
        if let Err(error) = self.world.run.end() {
            eprintln!("weir-harness: {error:#}");
        }
    }
}

impl Builder {
    /// One node or two.
    #[must_use]
    pub fn nodes(mut self, count: usize) -> Self {
        self.nodes = count;
        self
    }

    /// More arguments for each agent; one that the harness gives, too, replaces the harness's. `{dir}` is the run's directory,
    /// `{node}` the node.
    #[must_use]
    pub fn agent_args(mut self, args: &[&str]) -> Self {
        self.agent_args.extend(args.iter().map(|arg| (None, (*arg).to_owned())));
        self
    }

    /// As [`Builder::agent_args`], for the agent of one node.
    #[must_use]
    pub fn node_args(mut self, node: &str, args: &[&str]) -> Self {
        self.agent_args.extend(args.iter().map(|arg| (Some(node.to_owned()), (*arg).to_owned())));
        self
    }

    /// Data workers of each agent.
    #[must_use]
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = count;
        self
    }

    /// Agents live from a controller on node `a`, which reads a directory of Kubernetes YAML.
    #[must_use]
    pub fn controlled(self) -> Self {
        self.controller_args(&[])
    }

    /// As [`Builder::controlled`], with more arguments for the controller; one that the harness gives, too, replaces
    /// the harness's.
    #[must_use]
    pub fn controller_args(mut self, args: &[&str]) -> Self {
        self.controller_args.get_or_insert_default().extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Makes the nodes and the link. Agents start with [`Cluster::up`].
    pub fn build(self) -> Result<Cluster> {
        require_root()?;
        if !(1..=2).contains(&self.nodes) {
            bail!("a cluster has one node or two, not {}", self.nodes);
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let run = RunInfo::claim(format!("weir-{}-{}-{count}", self.label, std::process::id()))?;
        let names = ["a", "b"].into_iter().take(self.nodes);
        let controlled = self.controller_args.is_some();
        let world = World::new(
            run,
            self.agent_args,
            self.workers,
            controlled,
            names.clone().map(str::to_owned).collect(),
        );
        let world = Arc::new(world);
        // From here on the drop of `cluster` cleans up what was made so far.
        let mut cluster = Cluster { world: world.clone(), nodes: Vec::new(), kept: false };
        for (index, name) in names.enumerate() {
            cluster.nodes.push(Node::create(&world, name, u8::try_from(index + 1)?)?);
        }
        if let (Some(args), Some(first)) = (self.controller_args, cluster.nodes.first()) {
            let controller = Controller::new(world.run.dir(), first.host().clone(), args);
            let _ = world.controller.set(controller);
        }
        match cluster.nodes.as_slice() {
            [a, b] => {
                a.link_to(b)?;
                if controlled {
                    a.control_link_to(b)?;
                }
            }
            [a, ..] if controlled => a.netns().ip_batch(&["addr add 10.9.100.1/32 dev lo".to_owned()])?,
            _ => {}
        }
        world.change(|_| ())?;
        Ok(cluster)
    }
}
