//! A cluster on one machine, for tests, the demo and the bench.
//!
//! A *node* is a network namespace with an agent process of its own, a cgroup subtree and a routed
//! link to the other node. A *pod* is a network namespace with a veth to its node, dual-stack
//! addresses and a cgroup; real, unmodified programs run in it as real processes.
//!
//! ```text
//!   +-- node a (netns) ------------+   link0   +-- node b (netns) ------------+
//!   | weir-agent   10.9.1.1        |===========| weir-agent   10.9.2.1        |
//!   |  |v2          |v3            |           |  |v2                          |
//!   +--|------------|--------------+           +--|---------------------------+
//!    [pod client]  [pod other]                  [pod server]
//!     10.9.1.2      10.9.1.3                     10.9.2.2     (fd09:1::2, ...)
//! ```
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let c = weir_harness::Cluster::two_nodes("story")?;
//! let client = c.node("a").pod("client").enrolled().start()?;
//! let server = c.node("b").pod("server").enrolled().start()?;
//! server.nginx()?;
//! c.up()?;
//! client.curl(&format!("http://{}/", server.v4()))?;
//! # Ok(()) }
//! ```
//!
//! Everything is torn down when the [`Cluster`] is dropped, also after a panic or a SIGINT.

mod agent;
mod bookinfo;
mod capture;
mod cgroup;
mod cleanup;
mod cluster;
mod controller;
mod counter;
mod echo;
mod footprint;
mod http;
mod kernel;
#[cfg(feature = "kube-api")]
pub mod kube_api;
mod manifests;
mod mesh;
mod metrics;
mod netns;
mod node;
mod pcap;
mod pod;
mod probe;
mod process;
mod programs;
mod tool;
mod wait;
mod waypoint;
mod world;

pub use agent::Agent;
pub use bookinfo::{Answer, Bookinfo, Fire, FireReport, Growth, Reading};
pub use capture::Capture;
pub use cgroup::Cgroup;
pub use cleanup::{RunInfo, kept_runs, sweep_dead, tear_down};
pub use cluster::{Builder, Cluster};
pub use controller::Controller;
pub use counter::Counter;
pub use echo::Asker;
pub use footprint::Footprint;
pub use kernel::{kernel_release, kernel_version};
pub use mesh::{MeshFile, Mode, PeerAuthentication, Port, Service, TunnelProtocol, Workload};
pub use metrics::Metrics;
pub use netns::NetNs;
pub use node::Node;
pub use pcap::{Packet, Packets};
pub use pod::{Pod, PodBuilder};
pub use probe::{Hold, Load, ProbeError, Program, Reply};
pub use process::{Finished, Place, Process};
pub use programs::Curl;
pub use tool::{binary, have_root, require_root};
pub use wait::{until, until_ok};
pub use waypoint::{Waypoint, WaypointBuilder};

/// IP version of a connection; suites that hold for both are written once and run for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both versions, in the order in which suites run them.
    pub const BOTH: [Family; 2] = [Family::V4, Family::V6];
}
