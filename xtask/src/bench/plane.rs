//! The data planes under test: for each two pods on two nodes, and what carries bytes between them.
//!
//! `direct` and `weir` are pods of one cluster (agents that carry nothing cost a direct connection nothing);
//! each peer has a cluster without agents to itself, so that no two data planes meet in one namespace.

use std::io::BufReader;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout};
use std::time::Duration;

use anyhow::{Context, Result};
use weir_harness::{Cluster, Finished, Pod, Process, binary};

use super::peer::{Peer, PeerSpec, Side};
use super::{process, servers};

/// Everything that is up during the bench; dropped, it is gone.
pub(super) struct World {
    planes: Vec<Plane>,
    // In this order: scripts bring their data plane down before its namespaces go.
    _peers: Vec<Peer>,
    _clusters: Vec<Cluster>,
}

/// One way from a client's pod to a server's pod.
pub(super) struct Plane {
    pub(super) name: String,
    /// What the client dials.
    pub(super) target: IpAddr,
    pub(super) load_program: PathBuf,
    client: Pod,
    placement: Placement,
    client_pids: Vec<u32>,
    server_pids: Vec<u32>,
}

/// Which processor a side's programs belong to.
#[derive(Clone, Copy)]
pub(super) struct Placement {
    pinned: bool,
}

impl World {
    /// Builds the clusters, starts agents, servers and peers.
    pub(super) fn build(specs: &[PeerSpec], pinned: bool) -> Result<Self> {
        let placement = Placement::new(pinned);
        let load_program = binary("weir-load")?;
        let mut world = Self { planes: Vec::new(), _peers: Vec::new(), _clusters: Vec::new() };
        eprintln!("bench: starting two nodes and their agents");
        world.add_own(placement, &load_program)?;
        for spec in specs {
            eprintln!("bench: starting two nodes for {}", spec.name);
            world.add_peer(spec, placement, &load_program)?;
        }
        Ok(world)
    }

    /// The first is the one that the others are compared with.
    pub(super) fn planes(&self) -> &[Plane] {
        &self.planes
    }

    fn add_own(&mut self, placement: Placement, load_program: &Path) -> Result<()> {
        let cluster = Cluster::two_nodes("bench")?;
        let (a, b) = (cluster.node("a"), cluster.node("b"));
        let direct = (a.pod("direct-client").start()?, b.pod("direct-server").start()?);
        let meshed = (a.pod("client").enrolled().start()?, b.pod("server").enrolled().start()?);
        cluster.up()?;
        let pids = [a.agent().pid()?, b.agent().pid()?];
        for (pid, cpu) in pids.into_iter().zip([CLIENT_CPU, SERVER_CPU]) {
            placement.pin(pid, cpu)?;
        }
        self.planes.push(Plane::start("direct", direct, placement, load_program)?);
        let mut weir = Plane::start("weir", meshed, placement, load_program)?;
        (weir.client_pids, weir.server_pids) = (vec![pids[0]], vec![pids[1]]);
        self.planes.push(weir);
        self._clusters.push(cluster);
        Ok(())
    }

    fn add_peer(&mut self, spec: &PeerSpec, placement: Placement, load_program: &Path) -> Result<()> {
        let cluster = Cluster::two_nodes(&spec.name)?;
        let pods = (cluster.node("a").pod("client").start()?, cluster.node("b").pod("server").start()?);
        let sides = [side(&pods.0, CLIENT_CPU), side(&pods.1, SERVER_CPU)];
        let dir = cluster.dir().join("peer");
        self._clusters.push(cluster);
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let mut plane = Plane::start(&spec.name, pods, placement, load_program)?;
        let (peer, answer) = Peer::up(spec, &dir, &sides[0], &sides[1])?;
        self._peers.push(peer);
        plane.target = answer.address.unwrap_or(plane.target);
        (plane.client_pids, plane.server_pids) = (answer.client_pids, answer.server_pids);
        self.planes.push(plane);
        Ok(())
    }
}

impl Plane {
    fn start(
        name: &str,
        (client, server): (Pod, Pod),
        placement: Placement,
        load_program: &Path,
    ) -> Result<Self> {
        servers::start(&server, &placement, load_program).with_context(|| format!("servers for {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            target: server.v4().into(),
            load_program: load_program.to_owned(),
            client,
            placement,
            client_pids: Vec::new(),
            server_pids: Vec::new(),
        })
    }

    /// True if there is no process whose CPU and memory could be counted.
    pub(super) fn is_bare(&self) -> bool {
        self.client_pids.is_empty() && self.server_pids.is_empty()
    }

    /// Processor time of the data plane so far, both sides together, seconds.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        self.client_pids.iter().chain(&self.server_pids).map(|pid| process::cpu_seconds(*pid)).sum()
    }

    /// Memory of the data plane now: client's side, server's side, KiB.
    pub(super) fn rss_kib(&self) -> Result<[f64; 2]> {
        let sum = |pids: &[u32]| pids.iter().map(|pid| process::rss_kib(*pid)).sum::<Result<f64>>();
        Ok([sum(&self.client_pids)?, sum(&self.server_pids)?])
    }

    /// `ADDRESS:PORT` of a server.
    pub(super) fn socket(&self, port: u16) -> String {
        SocketAddr::new(self.target, port).to_string()
    }

    /// Where its web server is.
    pub(super) fn url(&self, port: u16) -> String {
        format!("http://{}/", self.socket(port))
    }

    /// Runs a program in the client's pod to its end, which should take `expected`.
    pub(super) fn client_output(
        &self,
        program: &str,
        arguments: &[&str],
        expected: Duration,
    ) -> Result<Finished> {
        let (program, arguments) = self.placement.client_command(program, arguments);
        self.client.place().output(&program, &arguments, expected + GRACE)
    }

    /// Starts a program in the client's pod and gives its stdin and stdout.
    pub(super) fn client_converse(
        &self,
        program: &str,
        arguments: &[&str],
    ) -> Result<(Process, ChildStdin, BufReader<ChildStdout>)> {
        let (program, arguments) = self.placement.client_command(program, arguments);
        self.client.place().converse(&program, &arguments)
    }
}

impl Placement {
    pub(super) fn new(pinned: bool) -> Self {
        Self { pinned }
    }

    pub(super) fn client_command(self, program: &str, arguments: &[&str]) -> (String, Vec<String>) {
        self.command(CLIENT_CPU, program, arguments)
    }

    pub(super) fn server_command(self, program: &str, arguments: &[&str]) -> (String, Vec<String>) {
        self.command(SERVER_CPU, program, arguments)
    }

    fn command(self, cpu: usize, program: &str, arguments: &[&str]) -> (String, Vec<String>) {
        let own = arguments.iter().map(|argument| (*argument).to_owned());
        if !self.pinned {
            return (program.to_owned(), own.collect());
        }
        let before = ["--cpu-list".to_owned(), cpu.to_string(), program.to_owned()];
        ("taskset".to_owned(), before.into_iter().chain(own).collect())
    }

    fn pin(self, pid: u32, cpu: usize) -> Result<()> {
        if self.pinned { process::pin(pid, cpu) } else { Ok(()) }
    }
}

fn side(pod: &Pod, cpu: usize) -> Side {
    Side {
        node_netns: pod.node().netns().name().to_owned(),
        pod_netns: pod.netns().name().to_owned(),
        pod_cgroup: pod.place().cgroup.path().to_owned(),
        pod_v4: pod.v4().into(),
        pod_v6: pod.v6().into(),
        cpu,
    }
}

/// As if each node were a machine with one processor.
const CLIENT_CPU: usize = 0;
const SERVER_CPU: usize = 1;
/// What a program may take longer than told, start and end included.
const GRACE: Duration = Duration::from_secs(30);
