//! What all stories share.

use std::net::SocketAddr;

use anyhow::Result;
use weir_harness::{Cluster, Family, Pod, Port, Service, kernel_release, kernel_version, require_root};

/// Whether the story may run; fails where it must and cannot.
pub(crate) fn privileged() -> bool {
    match require_root() {
        Ok(()) => true,
        Err(error) => {
            let skip = std::env::var_os("WEIR_SKIP_PRIVILEGED").is_some();
            assert!(skip && std::env::var_os("CI").is_none(), "{error:#}");
            eprintln!("skipped: {error:#}");
            false
        }
    }
}

/// Whether the kernel is this new; a story that needs it is skipped on older ones, and fails there under CI.
pub(crate) fn is_linux_since(major: u32, minor: u32) -> bool {
    let release = kernel_release();
    let has = kernel_version(&release) >= Some((major, minor));
    if !has {
        assert!(
            std::env::var_os("CI").is_none(),
            "this story needs Linux {major}.{minor}, and here is {release}"
        );
        eprintln!("skipped: it needs Linux {major}.{minor}, and here is {release}");
    }
    has
}

/// Declares stories: `fn name(c) {..}` gets a cluster of two nodes, `fn name(c = builder) {..}` the one
/// that is built. The cluster outlives the story's error, so that its drop can tell how to look inside.
macro_rules! stories {
    ($($(#[$meta:meta])* fn $name:ident($c:ident $(= $builder:expr)?) $body:block)*) => {
        $($(#[$meta])* #[test] fn $name() {
            if !$crate::support::privileged() { return; }
            fn story($c: &weir_harness::Cluster) -> anyhow::Result<()> { $body Ok(()) }
            #[allow(unused_mut, unused_assignments, reason = "the builder is optional")]
            let mut builder = weir_harness::Cluster::builder($crate::support::label(stringify!($name)));
            $(builder = $builder;)?
            let cluster = builder.build().unwrap();
            if let Err(error) = story(&cluster) { panic!("{error:#}"); }
        })*
    };
}
pub(crate) use stories;

/// Mark of a captured socket.
pub(crate) const MARK: u64 = 0x5745_4952;

/// The pods that most stories need. `a` and `b` are the nodes.
pub(crate) struct Mesh {
    /// On `a`, in the mesh.
    pub(crate) client: Pod,
    /// On `a`, in the mesh: the same-node server.
    pub(crate) neighbour: Pod,
    /// On `b`, in the mesh.
    pub(crate) server: Pod,
    /// On `a`, not in the mesh.
    pub(crate) visitor: Pod,
    /// On `b`, not in the mesh.
    pub(crate) outside: Pod,
}

/// Five pods, whoami servers on port 8080 of all but the visitor, agents running.
pub(crate) fn mesh(c: &Cluster) -> Result<Mesh> {
    let (a, b) = (c.node("a"), c.node("b"));
    let mesh = Mesh {
        client: a.pod("client").enrolled().start()?,
        neighbour: a.pod("neighbour").enrolled().start()?,
        server: b.pod("server").enrolled().probe_ports(&[8080]).start()?,
        visitor: a.pod("visitor").start()?,
        outside: b.pod("outside").start()?,
    };
    for pod in [&mesh.client, &mesh.neighbour, &mesh.server, &mesh.outside] {
        pod.serve(8080, &[])?;
    }
    c.up()?;
    Ok(mesh)
}

/// A service with one port.
pub(crate) fn service(name: &str, vips: &[&str], port: u16, target: u16, endpoints: &[&Pod]) -> Service {
    Service {
        name: name.to_owned(),
        namespace: "default".to_owned(),
        hostname: format!("{name}.default.svc.cluster.local"),
        addresses: vips.iter().map(|vip| vip.parse().unwrap()).collect(),
        ports: vec![Port { service_port: port, target_port: target }],
        endpoints: endpoints.iter().map(|pod| pod.name().to_owned()).collect(),
    }
}

/// Borrows owned arguments for the probe.
pub(crate) fn strs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// Arguments of `weir-probe` for every way in which an application may connect, with the version of
/// the destination address that goes with them. `first` is where `reconnect` goes before.
pub(crate) fn ways(client: &Pod, first: SocketAddr) -> Vec<(Family, Vec<String>)> {
    let mut ways = Vec::new();
    let first_v6 = SocketAddr::from((to_v6(first), first.port()));
    for (n, (family, mapped)) in
        [(Family::V4, false), (Family::V6, false), (Family::V4, true)].into_iter().enumerate()
    {
        let ip = client.ip(family);
        // Below the ephemeral ports: no other socket of the pod may have taken it by chance.
        let port = 20_000 + n * 10;
        let first = if family == Family::V6 { first_v6 } else { first };
        for way in [
            String::new(),
            format!("--bind {ip}"),
            format!("--bind {} --reuseaddr", SocketAddr::from((ip, port as u16))),
            "--device eth0".to_owned(),
            "--how nonblock".to_owned(),
            format!("--how reconnect --via {first}"),
            "--how fastopen".to_owned(),
            "--how fastopen-connect".to_owned(),
            "--how mptcp".to_owned(),
            "--reuseport --reuseaddr".to_owned(),
        ] {
            let mut args: Vec<String> = way.split_whitespace().map(str::to_owned).collect();
            if mapped {
                args.push("--mapped".to_owned());
            }
            ways.push((family, args));
        }
    }
    ways
}

/// The IPv6 address of the pod that has this IPv4 address (the harness gives both by one number).
fn to_v6(v4: SocketAddr) -> std::net::Ipv6Addr {
    let std::net::IpAddr::V4(ip) = v4.ip() else { panic!("{v4} is not IPv4") };
    let [_, _, node, pod] = ip.octets();
    std::net::Ipv6Addr::new(0xfd09, node.into(), 0, 0, 0, 0, 0, pod.into())
}

/// A short label for the cluster's id: namespace names are file names, and read by people.
pub(crate) fn label(story: &str) -> &str {
    &story[..story.len().min(24)]
}
