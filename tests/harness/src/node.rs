//! A node: network namespace, cgroups, link, agent.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::agent::Agent;
use crate::cgroup::Cgroup;
use crate::world::World;
use crate::{Capture, Counter, Family, Finished, NetNs, Place, PodBuilder};

/// A node; clones name the same one.
#[derive(Clone, Debug)]
pub struct Node {
    world: Arc<World>,
    data: Arc<Data>,
}

#[derive(Debug)]
struct Data {
    name: String,
    index: u8,
    host: Place,
    kubelet: Place,
    kubepods: Cgroup,
    agent: Agent,
    next_pod: AtomicU8,
}

impl Node {
    pub(crate) fn create(world: &Arc<World>, name: &str, index: u8) -> Result<Self> {
        let id = format!("{}-{name}", world.run.id);
        let netns = NetNs::create(&id, true)?;
        let root = Cgroup::create(&format!("{}/{name}", world.run.id))?;
        let kubepods = root.child("kubepods")?;
        let place = |what: &str, cgroup: Cgroup| Place {
            name: format!("{name}-{what}"),
            netns: netns.clone(),
            cgroup,
            dir: world.run.dir(),
        };
        let host = place("host", root.child("system")?);
        world.hint(&format!("node {name}"), &id, &host.cgroup);
        let kubelet = place("kubelet", root.child("kubelet")?);
        let agent =
            Agent::new(world, name, place("agent", kubepods.child("agent")?), &kubepods, &kubelet.cgroup);
        netns.ip_batch(&[
            format!("addr add 10.9.{index}.1/32 dev lo"),
            format!("addr add fd09:{index}::1/128 dev lo nodad"),
        ])?;
        let data =
            Data { name: name.to_owned(), index, host, kubelet, kubepods, agent, next_pod: AtomicU8::new(2) };
        Ok(Self { world: world.clone(), data: Arc::new(data) })
    }

    /// Joins two nodes by a veth named `link0` at both ends, with routes to each other's pods.
    pub(crate) fn link_to(&self, other: &Self) -> Result<()> {
        self.cable(other, "link0", "10.9.0", Some("fd09:"))?;
        for (own, peer) in [(self, other), (other, self)] {
            let (me, far) = (own.data.index, peer.data.index);
            own.netns().ip_batch(&[
                format!("route add 10.9.{far}.0/24 via 10.9.0.{far} src 10.9.{me}.1"),
                format!("route add fd09:{far}::/64 via fd09::{far} src fd09:{me}::1"),
            ])?;
        }
        Ok(())
    }

    /// Joins them by another veth, `control0`, as a network of its own for agents and controller: what passes on `link0` is
    /// the pods' then, and can be counted.
    pub(crate) fn control_link_to(&self, other: &Self) -> Result<()> {
        self.cable(other, "control0", "10.9.100", None)
    }

    /// A veth of one name at both ends; addresses end in the node's number.
    fn cable(&self, other: &Self, name: &str, v4: &str, v6: Option<&str>) -> Result<()> {
        let far = other.netns().name();
        self.netns().ip(&["link", "add", name, "type", "veth", "peer", "name", name, "netns", far])?;
        for node in [self, other] {
            let me = node.data.index;
            let mut lines = vec![format!("addr add {v4}.{me}/24 dev {name}")];
            lines.extend(v6.map(|v6| format!("addr add {v6}:{me}/64 dev {name} nodad")));
            lines.push(format!("link set {name} up"));
            node.netns().ip_batch(&lines)?;
        }
        Ok(())
    }

    /// Name of the node.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.data.name
    }

    /// The node's own address.
    #[must_use]
    pub fn ip(&self, family: Family) -> IpAddr {
        let n = self.data.index;
        match family {
            Family::V4 => Ipv4Addr::new(10, 9, n, 1).into(),
            Family::V6 => Ipv6Addr::new(0xfd09, n.into(), 0, 0, 0, 0, 0, 1).into(),
        }
    }

    /// The node's network namespace.
    #[must_use]
    pub fn netns(&self) -> &NetNs {
        &self.data.host.netns
    }

    /// Cgroup that holds the pods and the agent.
    #[must_use]
    pub fn kubepods(&self) -> &Cgroup {
        &self.data.kubepods
    }

    /// The agent of the node.
    #[must_use]
    pub fn agent(&self) -> &Agent {
        &self.data.agent
    }

    /// A new pod on this node.
    #[must_use]
    pub fn pod(&self, name: &str) -> PodBuilder {
        PodBuilder::new(&self.world, self, name)
    }

    /// Place for programs of the host that are not the kubelet.
    #[must_use]
    pub fn host(&self) -> &Place {
        &self.data.host
    }

    /// Place for what the kubelet would do, probes above all.
    #[must_use]
    pub fn kubelet(&self) -> &Place {
        &self.data.kubelet
    }

    /// Place for programs of the host where it has no cgroups of its own: all are in the root.
    pub fn root_cgroup(&self) -> Result<Place> {
        Ok(Place { name: format!("{}-root", self.name()), cgroup: Cgroup::root()?, ..self.data.host.clone() })
    }

    /// Runs a program of the host to its end.
    pub fn output<S: AsRef<OsStr>>(&self, program: &str, args: &[S]) -> Result<Finished> {
        self.data.host.output(program, args, Duration::from_secs(30))
    }

    /// Records what passes on the link to the other node, from now on.
    pub fn capture_link(&self) -> Result<Capture> {
        Capture::start(self, "link0")
    }

    /// Counts TCP packets on the link that are not tunnel packets, from now on.
    pub fn count_link(&self) -> Result<Counter> {
        Counter::start(self.netns(), "link0")
    }

    pub(crate) fn index(&self) -> u8 {
        self.data.index
    }

    /// The last part of the next pod's addresses, and the number in its veth's name.
    pub(crate) fn next_pod(&self) -> Result<u8> {
        match self.data.next_pod.fetch_add(1, Ordering::Relaxed) {
            254.. => bail!("node {} is full", self.name()),
            number => Ok(number),
        }
    }
}
