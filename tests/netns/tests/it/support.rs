//! What all stories share.

use std::net::SocketAddr;

use weir_harness::{Family, Pod, require_root};

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

/// Arguments of `weir-probe` for every way in which an application may connect, with the version of
/// the destination address that goes with them. `first` is where `reconnect` goes before.
pub(crate) fn ways(client: &Pod, first: SocketAddr) -> Vec<(Family, Vec<String>)> {
    let mut ways = Vec::new();
    let first_v6 = SocketAddr::from((to_v6(first), first.port()));
    for (n, (family, mapped)) in
        [(Family::V4, false), (Family::V6, false), (Family::V4, true)].into_iter().enumerate()
    {
        let ip = client.ip(family);
        let port = 40_000 + n * 10;
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
