//! Two network namespaces joined by a veth, made from nothing and gone with their value: the stage of the self-test (and of tests).
//!
//! ```text
//!   pod    eth0 192.0.2.2/32,   2001:db8:5::2/128  ======  remote eth0 192.0.2.1, 2001:db8:5::1
//! ```
//! The addresses are those set aside for documentation (RFC 5737, RFC 3849); they exist in these two namespaces only.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;

use crate::netlink::{Family, Netlink};
use crate::netns::Netns;

/// A pair of namespaces.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// The one that plays the pod.
    pub(crate) pod: Netns,
    /// The one that plays the rest of the world.
    pub(crate) remote: Netns,
    /// IPv6 can be used in both.
    pub(crate) ipv6: bool,
}

impl Scratch {
    /// Makes the pair. Fails where namespaces or veth are not to be had.
    pub(crate) fn new() -> io::Result<Self> {
        let (pod, remote) = (new_netns()?, new_netns()?);
        let ipv6 =
            remote.run(crate::sysctl::ipv6_on_loopback)? && pod.run(crate::sysctl::ipv6_on_loopback)?;
        let scratch = Self { pod, remote, ipv6 };
        scratch.remote.run(|| Netlink::new()?.add_veth("eth0", "eth0", scratch.pod.as_fd()))??;
        scratch.pod.run(|| scratch.configure(POD, REMOTE))??;
        scratch.remote.run(|| scratch.configure(REMOTE, POD))??;
        if scratch.ipv6 {
            scratch.pod.run(|| Netlink::new()?.until_local(POD.1.into()))??;
            scratch.remote.run(|| Netlink::new()?.until_local(REMOTE.1.into()))??;
        }
        Ok(scratch)
    }

    /// A path to the pod's namespace that works in this process.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.pod.as_fd().as_raw_fd()))
    }

    /// The pod's addresses.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        self.pairs().into_iter().map(|(pod, _)| pod).collect()
    }

    /// Address of the pod and of the remote, per family that works.
    pub(crate) fn pairs(&self) -> Vec<(IpAddr, IpAddr)> {
        let mut pairs = vec![(IpAddr::V4(POD.0), IpAddr::V4(REMOTE.0))];
        if self.ipv6 {
            pairs.push((IpAddr::V6(POD.1), IpAddr::V6(REMOTE.1)));
        }
        pairs
    }

    fn configure(&self, own: Addresses, peer: Addresses) -> io::Result<()> {
        let mut netlink = Netlink::new()?;
        let eth0 = netlink.index_of("eth0")?;
        netlink.set_up(crate::layout::LOOPBACK_INDEX, true)?;
        netlink.set_up(eth0, true)?;
        netlink.add_address(eth0, IpAddr::V4(own.0), 24)?;
        netlink.add_default_route(Family::V4, eth0, IpAddr::V4(peer.0))?;
        if self.ipv6 {
            netlink.add_address(eth0, IpAddr::V6(own.1), 64)?;
            netlink.add_default_route(Family::V6, eth0, IpAddr::V6(peer.1))?;
        }
        Ok(())
    }
}

/// A namespace of which only the returned value knows.
fn new_netns() -> io::Result<Netns> {
    let thread = std::thread::Builder::new().name("weir-scratch".into()).spawn(|| {
        // SAFETY: NEWNET moves this thread alone into a new namespace and touches no memory; the thread ends here.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }?;
        File::open("/proc/thread-self/ns/net")
    })?;
    match thread.join() {
        Ok(file) => Netns::from_file(file?),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

type Addresses = (Ipv4Addr, Ipv6Addr);
const REMOTE: Addresses = (Ipv4Addr::new(192, 0, 2, 1), Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 1));
const POD: Addresses = (Ipv4Addr::new(192, 0, 2, 2), Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 2));
