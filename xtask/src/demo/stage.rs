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
        let cluster = Cluster::builder("demo").controlled().build()?;
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
        eprintln!(
            "demo: a controller reads the mesh from a directory of YAML; an agent starts on each node and captures its pods"
        );
        stage.cluster.up().context("the mesh did not come up")?;
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
            "Each shell joins the pod's cgroup, as every process of a container does: only what runs there is captured.\n\
             In the pod `curl`, for example:\n  curl {}\n  curl http://{VIP}/\n  redis-cli -h {}\n\
             On a node, to see the connections of its pods as they come and go:\n  {} trace\n\
             Files (logs, the controller's directory of YAML in `mesh`, captures): {}\n\
             To remove all of it: cargo xtask demo --down\n",
            self.nginx.url(weir_harness::Family::V4, 80),
            self.redis.v4(),
            weir_harness::binary("weir-agent").unwrap_or_default().display(),
            self.cluster.dir().display(),
        );
        text
    }
}
