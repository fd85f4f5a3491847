//! Who is captured and who is not: the sets that the node's programs look into.

use std::{
    net::{IpAddr, Ipv6Addr},
    os::fd::{AsFd, AsRawFd},
    sync::Arc,
};

use weir_ebpf_common::{Addr, OwnKey, PrefixKey, ProbePort, ProcessKey};

use super::{counters::CounterTable, error::BpfError, node::NodePrograms, object::Loaded, table::Table};

type Result<T> = std::result::Result<T, BpfError>;

/// The node's maps that user space writes.
#[derive(Debug)]
pub(super) struct Maps {
    enrolled: Table<u64, u32>,
    exempt: Table<u64, u32>,
    own: Table<OwnKey, u32>,
    exclude: Table<PrefixKey, u32>,
    probe_ports: Table<ProbePort, u32>,
    kubelets: Table<ProcessKey, u32>,
    agent_sockets: Table<i32, u32>,
    pub(super) counters: Arc<CounterTable>,
}

/// Value of maps that are sets.
const PRESENT: u32 = 1;

impl NodePrograms {
    /// From now on connections of this network namespace are captured. Call it last.
    pub(crate) fn enrol(&self, netns_cookie: u64) -> Result<()> {
        self.maps.enrolled.set(&netns_cookie, &PRESENT)
    }

    /// No connection of this namespace is captured any more. Absent is fine.
    pub(crate) fn unenrol(&self, netns_cookie: u64) -> Result<()> {
        self.maps.enrolled.remove(&netns_cookie).map(drop)
    }

    /// Whether connections of this namespace are captured.
    pub(crate) fn is_enrolled(&self, netns_cookie: u64) -> Result<bool> {
        Ok(self.maps.enrolled.get(&netns_cookie)?.is_some())
    }

    /// Cookies of all enrolled namespaces, those of a dead agent included.
    pub(crate) fn enrolled(&self) -> Result<Vec<u64>> {
        self.maps.enrolled.keys()
    }

    /// An address of the namespace itself: connections to it are not captured.
    pub(crate) fn own_add(&self, cookie: u64, ip: IpAddr) -> Result<()> {
        self.maps.own.set(&OwnKey { cookie, addr: ip.into() }, &PRESENT)
    }

    /// Absent is fine.
    pub(crate) fn own_remove(&self, cookie: u64, ip: IpAddr) -> Result<()> {
        self.maps.own.remove(&OwnKey { cookie, addr: ip.into() }).map(drop)
    }

    /// The addresses of one namespace.
    #[cfg(test)]
    pub(crate) fn own(&self, cookie: u64) -> Result<Vec<IpAddr>> {
        let keys = self.maps.own.keys()?;
        Ok(keys.into_iter().filter(|key| key.cookie == cookie).map(|key| key.addr.into()).collect())
    }

    /// Forgets all addresses of a namespace.
    pub(crate) fn own_clear(&self, cookie: u64) -> Result<()> {
        for key in self.maps.own.keys()?.into_iter().filter(|key| key.cookie == cookie) {
            self.maps.own.remove(&key)?;
        }
        Ok(())
    }

    /// Connections made by processes of this very cgroup (id = st_ino of its directory) are never captured: it is that of the
    /// agent with this process id. Those of the cgroups of earlier agents are, from now on, unless `runs` says that one is
    /// there still.
    pub(crate) fn exempt_cgroup(&self, id: u64, agent: u32, runs: impl Fn(u64, u32) -> bool) -> Result<()> {
        for (other, agent) in self.maps.exempt.entries()? {
            if other != id && !runs(other, agent) {
                self.maps.exempt.remove(&other)?;
            }
        }
        self.maps.exempt.set(&id, &agent)
    }

    /// Replaces the set of destinations that are never captured, by (address, prefix length). New ones come before old
    /// ones go; host bits are ignored.
    pub(crate) fn set_exclude(&self, networks: &[(IpAddr, u8)]) -> Result<()> {
        let wanted: Vec<PrefixKey> = networks.iter().map(|(ip, bits)| prefix(*ip, *bits)).collect();
        for key in &wanted {
            self.maps.exclude.set(key, &PRESENT)?;
        }
        for key in self.maps.exclude.keys()? {
            if !wanted.contains(&key) {
                self.maps.exclude.remove(&key)?;
            }
        }
        Ok(())
    }

    /// The kubelet may reach this port of a pod without the agent.
    pub(crate) fn probe_port_add(&self, ip: IpAddr, port: u16) -> Result<()> {
        self.maps.probe_ports.set(&probe_port(ip, port), &PRESENT)
    }

    /// Absent is fine.
    pub(crate) fn probe_port_remove(&self, ip: IpAddr, port: u16) -> Result<()> {
        self.maps.probe_ports.remove(&probe_port(ip, port)).map(drop)
    }

    /// The process that is the kubelet, by its number and its start in ticks since boot; those of before are not, from now on.
    pub(crate) fn set_kubelet(&self, process: Option<(u32, u64)>) -> Result<()> {
        let key = process.map(|(tgid, started)| ProcessKey { tgid, pad: 0, started });
        if let Some(key) = &key {
            self.maps.kubelets.set(key, &PRESENT)?;
        }
        for other in self.maps.kubelets.keys()?.into_iter().filter(|other| Some(*other) != key) {
            self.maps.kubelets.remove(&other)?;
        }
        Ok(())
    }

    /// Marks a listener as the agent's; what it accepts inherits that, and sock_ops leaves it alone (C5). Before
    /// `PodProgram::set_slot`.
    pub(crate) fn tag_listener(&self, listener: &impl AsFd) -> Result<()> {
        self.maps.agent_sockets.set(&listener.as_fd().as_raw_fd(), &PRESENT)
    }
}

impl Maps {
    pub(super) fn take(loaded: &mut Loaded) -> Result<Self> {
        Ok(Self {
            enrolled: Table::new("ENROLLED", &loaded.map("ENROLLED")?)?,
            exempt: Table::new("EXEMPT", &loaded.map("EXEMPT")?)?,
            own: Table::new("OWN", &loaded.map("OWN")?)?,
            exclude: Table::new("EXCLUDE", &loaded.map("EXCLUDE")?)?,
            probe_ports: Table::new("PROBE_PORTS", &loaded.map("PROBE_PORTS")?)?,
            kubelets: Table::new("KUBELETS", &loaded.map("KUBELETS")?)?,
            agent_sockets: Table::new("AGENT_SOCKETS", &loaded.map("AGENT_SOCKETS")?)?,
            counters: Arc::new(CounterTable::new(&loaded.map("COUNTERS")?)?),
        })
    }
}

fn probe_port(ip: IpAddr, port: u16) -> ProbePort {
    ProbePort { addr: ip.into(), port: u32::from(port) }
}

/// The key of a network in the trie, with its host bits cleared, so that one network is one key.
fn prefix(ip: IpAddr, bits: u8) -> PrefixKey {
    let (bits, v6) = match ip {
        IpAddr::V4(v4) => (96 + u32::from(bits.min(32)), v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => (u32::from(bits.min(128)), v6),
    };
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    let network = Ipv6Addr::from(u128::from(v6) & mask);
    PrefixKey { prefix_len: bits, addr: Addr::from(IpAddr::V6(network)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_become_trie_keys() {
        for (ip, bits, expected_ip, expected_bits) in [
            ("10.1.2.3", 8, "10.0.0.0", 104),
            ("10.1.2.3", 32, "10.1.2.3", 128),
            ("0.0.0.0", 0, "0.0.0.0", 96),
            ("fd09::1:2", 64, "fd09::", 64),
            ("::", 0, "::", 0),
            ("fe80::1", 128, "fe80::1", 128),
        ] {
            let key = prefix(ip.parse().unwrap(), bits);
            let expected: IpAddr = expected_ip.parse().unwrap();
            assert_eq!((key.prefix_len, key.addr), (expected_bits, Addr::from(expected)), "{ip}/{bits}");
        }
    }
}
