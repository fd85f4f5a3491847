//! A pod: network namespace, veth, addresses, cgroup, and its place in the mesh file.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cgroup::Cgroup;
use crate::mesh::{TunnelProtocol, Workload};
use crate::world::World;
use crate::{Family, Finished, NetNs, Node, Place, Process, until};

/// A pod; clones name the same one.
#[derive(Clone, Debug)]
pub struct Pod {
    world: Arc<World>,
    node: Node,
    place: Place,
    data: Arc<Data>,
}

#[derive(Debug)]
struct Data {
    name: String,
    namespace: String,
    account: String,
    number: u8,
    interfaces: AtomicU8,
}

/// What a pod is to be; [`PodBuilder::start`] makes it.
#[derive(Debug)]
pub struct PodBuilder {
    world: Arc<World>,
    node: Node,
    name: String,
    namespace: String,
    account: Option<String>,
    membership: Option<TunnelProtocol>,
    probe_ports: Vec<u16>,
    labels: BTreeMap<String, String>,
    families: Vec<Family>,
    number: Option<u8>,
}

impl PodBuilder {
    pub(crate) fn new(world: &Arc<World>, node: &Node, name: &str) -> Self {
        Self {
            world: world.clone(),
            node: node.clone(),
            name: name.to_owned(),
            namespace: "default".into(),
            account: None,
            membership: Some(TunnelProtocol::None),
            probe_ports: Vec::new(),
            labels: BTreeMap::new(),
            families: Family::BOTH.to_vec(),
            number: None,
        }
    }

    /// With the addresses of a pod that was deleted, once nobody holds its namespace any more.
    #[must_use]
    pub fn in_place_of(mut self, deleted: &Pod) -> Self {
        self.number = Some(deleted.data.number);
        self
    }

    fn number(&self) -> Result<u8> {
        let Some(number) = self.number else { return self.node.next_pod() };
        until("the deleted pod's veth to go", Duration::from_secs(10), || {
            self.node.netns().ip(&["link", "show", &veth(number, 0)]).is_err().then_some(())
        })?;
        Ok(number)
    }

    /// In the mesh.
    #[must_use]
    pub fn enrolled(mut self) -> Self {
        self.membership = Some(TunnelProtocol::Hbone);
        self
    }

    /// Not even named in the mesh file, as a machine outside the cluster.
    #[must_use]
    pub fn unknown(mut self) -> Self {
        self.membership = None;
        self
    }

    /// Kubernetes namespace, else `default`.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = namespace.to_owned();
        self
    }

    /// Service account, else the pod's name.
    #[must_use]
    pub fn service_account(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }

    /// Ports that the kubelet may probe.
    #[must_use]
    pub fn probe_ports(mut self, ports: &[u16]) -> Self {
        self.probe_ports = ports.to_vec();
        self
    }

    /// A label of the pod in Kubernetes; `app` is its name unless this says otherwise.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Addresses of one version only.
    #[must_use]
    pub fn only(mut self, family: Family) -> Self {
        self.families = vec![family];
        self
    }

    /// Makes the pod and names it in the mesh file. Running agents apply that in their own time:
    /// [`crate::Cluster::settle`] waits for it.
    pub fn start(self) -> Result<Pod> {
        let number = self.number()?;
        let id = format!("{}-{}", self.node.netns().name(), self.name);
        let netns = NetNs::create(&id, false)?;
        let cgroup = self.node.kubepods().child(&format!("pod{}-{}", self.namespace, self.name))?;
        let name = format!("{}-{}", self.node.name(), self.name);
        self.world.hint(&format!("pod {} on node {}", self.name, self.node.name()), &id, &cgroup);
        let pod = Pod {
            place: Place { name, netns, cgroup, dir: self.world.run.dir() },
            data: Arc::new(Data {
                account: self.account.unwrap_or_else(|| self.name.clone()),
                name: self.name,
                namespace: self.namespace,
                number,
                interfaces: AtomicU8::new(0),
            }),
            node: self.node,
            world: self.world,
        };
        let addresses: Vec<IpAddr> = self.families.iter().map(|family| pod.ip(*family)).collect();
        pod.add_interface(&addresses)?;
        if let Some(tunnel_protocol) = self.membership {
            let workload = Workload {
                name: pod.data.name.clone(),
                namespace: pod.data.namespace.clone(),
                service_account: pod.data.account.clone(),
                node: pod.node.name().to_owned(),
                addresses,
                tunnel_protocol,
                network_namespace: Some(pod.netns().path()),
                probe_ports: self.probe_ports,
                labels: self.labels,
                leaving: false,
            };
            pod.world.change(|mesh| mesh.workloads.push(workload))?;
        }
        Ok(pod)
    }
}

impl Pod {
    /// Name of the pod.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.data.name
    }

    /// Uid in the mesh.
    #[must_use]
    pub fn uid(&self) -> String {
        format!("Kubernetes//Pod/{}/{}", self.data.namespace, self.data.name)
    }

    /// SPIFFE id in the mesh.
    #[must_use]
    pub fn identity(&self) -> String {
        format!("spiffe://cluster.local/ns/{}/sa/{}", self.data.namespace, self.data.account)
    }

    /// Node that runs the pod.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Its network namespace.
    #[must_use]
    pub fn netns(&self) -> &NetNs {
        &self.place.netns
    }

    /// Its namespace and cgroup as a place for programs.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// A container's cgroup below the pod's.
    pub fn container(&self, name: &str) -> Result<Place> {
        let cgroup: Cgroup = self.place.cgroup.child(name)?;
        Ok(Place { name: format!("{}-{name}", self.place.name), cgroup, ..self.place.clone() })
    }

    /// Primary address.
    #[must_use]
    pub fn ip(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.v4().into(),
            Family::V6 => self.v6().into(),
        }
    }

    /// Primary IPv4 address.
    #[must_use]
    pub fn v4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 9, self.node.index(), self.data.number)
    }

    /// Primary IPv6 address.
    #[must_use]
    pub fn v6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd09, self.node.index().into(), 0, 0, 0, 0, 0, self.data.number.into())
    }

    /// Primary address with a port.
    #[must_use]
    pub fn at(&self, family: Family, port: u16) -> SocketAddr {
        (self.ip(family), port).into()
    }

    /// `http://` URL of a port, with brackets where they belong.
    #[must_use]
    pub fn url(&self, family: Family, port: u16) -> String {
        format!("http://{}/", self.at(family, port))
    }

    /// Enrols the pod, and waits until its node's agent has done so.
    pub fn enrol(&self) -> Result<()> {
        self.set_tunnel(TunnelProtocol::Hbone)
    }

    /// Takes the pod out of the mesh, and waits until its node's agent has done so.
    pub fn unenrol(&self) -> Result<()> {
        self.set_tunnel(TunnelProtocol::None)
    }

    /// Gives the pod another value of a label, and does not wait.
    pub fn relabel(&self, name: &str, value: &str) -> Result<()> {
        let change = |workload: &mut Workload| {
            workload.labels.insert(name.to_owned(), value.to_owned());
        };
        self.world.change_workload(&self.data.name, change)
    }

    /// Says that the pod is being deleted, as Kubernetes does while its processes still run; or not any more. Does not wait.
    pub fn set_leaving(&self, leaving: bool) -> Result<()> {
        self.world.change_workload(&self.data.name, |workload| workload.leaving = leaving)
    }

    /// Starts a program that keeps running.
    pub fn spawn<S: AsRef<OsStr>>(&self, program: &str, args: &[S]) -> Result<Process> {
        self.place.spawn(program, args)
    }

    /// Runs a program to its end.
    pub fn output<S: AsRef<OsStr>>(&self, program: &str, args: &[S]) -> Result<Finished> {
        self.place.output(program, args, Duration::from_secs(60))
    }

    /// Runs code on a thread in the pod's namespace, outside its cgroup (see [`NetNs::run`]).
    pub fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> Result<T> {
        self.netns().run(f)
    }

    /// Waits until something in the pod listens on the port.
    pub fn wait_listening(&self, port: u16) -> Result<()> {
        until(&format!("a listener on port {port} in pod {}", self.name()), Duration::from_secs(10), || {
            self.netns().listening_ports().ok()?.contains(&port).then_some(())
        })
    }

    /// Adds an interface with addresses; the first is `eth0`, the next `eth1`. Returns its name.
    pub fn add_interface(&self, addresses: &[IpAddr]) -> Result<String> {
        let index = self.data.interfaces.fetch_add(1, Ordering::Relaxed);
        let (inside, outside) = (format!("eth{index}"), veth(self.data.number, index));
        let (node, pod) = (self.node.netns(), self.netns());
        node.ip(&["link", "add", &outside, "type", "veth", "peer", "name", &inside, "netns", pod.name()])
            .with_context(|| format!("no veth for pod {}", self.name()))?;
        let mut outer = vec![
            format!("addr add 169.254.1.1/32 dev {outside}"),
            format!("addr add fe80::1/64 dev {outside} nodad"),
            format!("link set {outside} up"),
        ];
        let mut inner = vec![format!("link set {inside} up")];
        for ip in addresses {
            let (bits, own) = match ip {
                IpAddr::V4(_) => (32, self.node.ip(Family::V4)),
                IpAddr::V6(_) => (128, self.node.ip(Family::V6)),
            };
            outer.push(format!("route add {ip}/{bits} dev {outside} src {own}"));
            let nodad = if ip.is_ipv6() { " nodad" } else { "" };
            inner.push(format!("addr add {ip}/{bits} dev {inside}{nodad}"));
        }
        inner.extend(self.default_routes(&inside, index, addresses));
        node.ip_batch(&outer)?;
        pod.ip_batch(&inner)?;
        Ok(inside)
    }

    /// The veth of an interface as the node sees it.
    #[must_use]
    pub fn veth(&self, index: u8) -> String {
        veth(self.data.number, index)
    }

    /// Deletes the pod as the kubelet and the CNI plugin would: entry, processes, namespace.
    pub fn delete(&self) -> Result<()> {
        self.world.change(|mesh| mesh.workloads.retain(|workload| workload.name != self.data.name))?;
        self.place.cgroup.kill()?;
        self.place.cgroup.remove()?;
        self.netns().delete()
    }

    /// The gateway is link-local, as with Calico: the pod's subnet is the pod itself.
    fn default_routes(&self, inside: &str, index: u8, addresses: &[IpAddr]) -> Vec<String> {
        let metric = 100 * u32::from(index) + 100;
        let mut routes = Vec::new();
        if let Some(ip) = addresses.iter().find(|ip| ip.is_ipv4()) {
            routes.push(format!("route add 169.254.1.1 dev {inside} scope link metric {metric}"));
            routes.push(format!("route add default via 169.254.1.1 dev {inside} src {ip} metric {metric}"));
        }
        if let Some(ip) = addresses.iter().find(|ip| ip.is_ipv6()) {
            routes.push(format!("route add default via fe80::1 dev {inside} src {ip} metric {metric}"));
        }
        routes
    }

    fn set_tunnel(&self, protocol: TunnelProtocol) -> Result<()> {
        self.world.change_workload(&self.data.name, |workload| workload.tunnel_protocol = protocol)?;
        self.world.settle(std::slice::from_ref(&self.node))
    }
}

/// Name of a pod's interface as its node sees it.
fn veth(pod: u8, index: u8) -> String {
    format!("v{pod}x{index}")
}
