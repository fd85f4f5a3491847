//! What the demo plays on: six pods on two nodes, five of them in the mesh.

use anyhow::{Context, Result};
use weir_harness::{Cluster, Pod, Port, Service};

/// Virtual address of the service in front of nginx.
pub(super) const VIP: &str = "10.96.0.80";

/// The cluster and its pods. Programs are as Debian ships them, with no word of a mesh.
pub(super) struct Stage {
    pub(super) cluster: Cluster,
    /// Node a, in the mesh: a shell with curl.
    pub(super) curl: Pod,
    /// Node a, in the mesh: a client in Python.
    pub(super) python: Pod,
    /// Node a, in the mesh: nginx for the same-node check.
    pub(super) local: Pod,
    /// Node a, not in the mesh.
    pub(super) visitor: Pod,
    /// Node b, in the mesh: nginx.
    pub(super) nginx: Pod,
    /// Node b, in the mesh: redis, whose connections live long.
    pub(super) redis: Pod,
}

impl Stage {
    /// Builds the nodes and pods, starts the servers and the agents.
    pub(super) fn set_up() -> Result<Self> {
        eprintln!("demo: two nodes (network namespaces), a routed link between them, six pods");
        let cluster = Cluster::two_nodes("demo")?;
        let (a, b) = (cluster.node("a"), cluster.node("b"));
        let stage = Self {
            curl: a.pod("curl").enrolled().start()?,
            python: a.pod("python").enrolled().start()?,
            local: a.pod("local").enrolled().start()?,
            visitor: a.pod("visitor").start()?,
            nginx: b.pod("nginx").enrolled().start()?,
            redis: b.pod("redis").enrolled().start()?,
            cluster,
        };
        eprintln!("demo: nginx and redis-server start in their pods");
        stage.nginx.nginx()?;
        stage.local.nginx()?;
        stage.redis.redis()?;
        eprintln!("demo: an agent starts on each node and captures its pods");
        stage.cluster.up().context("the agents did not come up")?;
        stage.cluster.service(Service {
            name: "web".into(),
            namespace: "default".into(),
            hostname: "web.default.svc.cluster.local".into(),
            addresses: vec![VIP.parse()?],
            ports: vec![Port { service_port: 80, target_port: 80 }],
            endpoints: vec!["nginx".into()],
        })?;
        Ok(stage)
    }

    /// For the person who kept it running.
    pub(super) fn instructions(&self) -> String {
        let mut text = String::from("\ndemo: left running. To enter:\n");
        for hint in self.cluster.hints() {
            text += &format!("  {hint}\n");
        }
        text += &format!(
            "A process must also be in the pod's cgroup to be captured, as every process of a container is.\n\
             A shell in the pod `curl`:\n  {}\n\
             From there, for example:\n  curl {}\n  curl http://{VIP}/\n  redis-cli -h {}\n\
             Files (agents' logs, mesh file, captures): {}\n\
             To remove all of it: cargo xtask demo --down\n",
            enter(&self.curl),
            self.nginx.url(weir_harness::Family::V4, 80),
            self.redis.v4(),
            self.cluster.dir().display(),
        );
        text
    }
}

/// A shell in a pod's namespace and cgroup, as a line to paste.
fn enter(pod: &Pod) -> String {
    format!(
        "sh -c 'echo $$ > {}/cgroup.procs; exec ip netns exec {} bash'",
        pod.place().cgroup.path().display(),
        pod.netns().name()
    )
}
