//! The node's programs and maps: one of these per agent.

use std::{
    net::IpAddr,
    os::fd::{AsFd, AsRawFd},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aya::{EbpfLoader, programs::ProgramType, sys::is_helper_supported};
use aya_obj::generated::bpf_func_id;
use weir_ebpf_common::{Addr, OwnKey, PrefixKey, ProbePort};

use super::{
    Config, Fault,
    counters::{CounterTable, Counters},
    error::BpfError,
    hooks::{Attachment, HOOKS, Place},
    log::LogReader,
    object::{self, Loaded},
    pins,
    pod::PodPrograms,
    table::Table,
    trace::Switches,
};
use crate::events::{EventStream, Hub};

type Result<T> = std::result::Result<T, BpfError>;

/// connect4/6, bind4/6 and sock_ops on the pods' cgroup, sock_ops on the kubelet's, with their maps.
#[derive(Debug)]
pub(crate) struct NodePrograms {
    root: PathBuf,
    pinned: bool,
    maps: Maps,
    attachments: Mutex<Vec<Attachment>>,
    events: Arc<Hub>,
    _log: Option<LogReader>,
}

/// Names of the maps that are pinned, which is all but those of aya-log and of constants.
const MAPS: [&str; 11] = [
    "ENROLLED",
    "EXEMPT",
    "OWN",
    "EXCLUDE",
    "PROBES",
    "PROBE_PORTS",
    "AGENT_SOCKETS",
    "FLOWS",
    "COUNTERS",
    "CONTROL",
    "EVENTS",
];

#[derive(Debug)]
struct Maps {
    enrolled: Table<u64, u32>,
    exempt: Table<u64, u32>,
    own: Table<OwnKey, u32>,
    exclude: Table<PrefixKey, u32>,
    probe_ports: Table<ProbePort, u32>,
    agent_sockets: Table<i32, u32>,
    counters: Arc<CounterTable>,
}

/// Value of maps that are sets.
const PRESENT: u32 = 1;

impl NodePrograms {
    /// Loads the programs, adopts pinned maps (layout checked) and links (updated in place), attaches what is missing.
    ///
    /// # Errors
    /// Everything that keeps pods from being captured. A kubelet cgroup that is not there is only logged and found by
    /// `verify`: probes then go through the agent.
    pub(crate) fn start(config: &Config) -> Result<Self> {
        if !config.pinned {
            pins::remove_tree(&config.root)?;
        }
        pins::prepare(&config.root)?;
        let pins = pins::node_maps(&config.root, &MAPS);
        let mut loaded = object::NODE.load(&pins, |loader| set_globals(loader, config))?;
        let mut attachments = load_hooks(&mut loaded, config)?;
        let maps = Maps::take(&mut loaded)?;
        let log = (config.log_level > 0).then(|| LogReader::start(&mut loaded.ebpf)).flatten();
        let events = Hub::new(
            Switches::new(&loaded.map("CONTROL")?)?,
            Arc::clone(&maps.counters),
            pins::node_maps(&config.root, &crate::events::MAPS),
        );
        events.reset()?;
        for attachment in &mut attachments {
            match (attachment.attach(), attachment.place()) {
                (Err(error), Place::Kubelet) => {
                    tracing::warn!(%error, "the kubelet's probes are not told apart, they go through the agent");
                }
                (result, _) => result?,
            }
        }
        Ok(Self {
            root: config.root.clone(),
            pinned: config.pinned,
            maps,
            attachments: Mutex::new(attachments),
            events,
            _log: log,
        })
    }

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

    /// Connections made by processes of this very cgroup (id = st_ino of its directory) are never captured.
    pub(crate) fn exempt_cgroup(&self, id: u64) -> Result<()> {
        self.maps.exempt.set(&id, &PRESENT)
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

    /// Marks a listener as the agent's; what it accepts inherits that, and sock_ops leaves it alone (C5). Before
    /// `PodProgram::set_slot`.
    pub(crate) fn tag_listener(&self, listener: &impl AsFd) -> Result<()> {
        self.maps.agent_sockets.set(&listener.as_fd().as_raw_fd(), &PRESENT)
    }

    /// What is not as it should be: each link alive, of its type, on the cgroup that now has the path, and pinned.
    pub(crate) fn verify(&self) -> Vec<Fault> {
        self.attachments()
            .iter()
            .filter_map(|attachment| attachment.fault().map(|why| Fault { what: attachment.name(), why }))
            .collect()
    }

    /// Attaches again what `verify` finds broken, and returns that.
    ///
    /// # Errors
    /// The first hook that cannot be attached; the others were tried.
    pub(crate) fn repair(&self) -> Result<Vec<Fault>> {
        let mut repaired = Vec::new();
        let mut failed = None;
        for attachment in self.attachments().iter_mut() {
            let Some(why) = attachment.fault() else { continue };
            match attachment.attach() {
                Ok(()) => repaired.push(Fault { what: attachment.name(), why }),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(repaired), Err)
    }

    /// What the programs decided since the maps were made.
    pub(crate) fn counters(&self) -> Result<Counters> {
        self.maps.counters.read()
    }

    /// Live connection events of the node's pods; the first reader switches them on, the last one off.
    pub(crate) fn events(&self) -> Result<EventStream> {
        self.events.subscribe()
    }

    /// The per-pod loader that shares this node's maps.
    pub(crate) fn pods(&self) -> Result<PodPrograms> {
        Ok(PodPrograms::new(self.root.clone()))
    }

    /// Detaches everything and removes all pins below the root, those of pods included: from here on nothing is captured.
    pub(crate) fn detach_all(&self) -> Result<()> {
        for attachment in self.attachments().iter_mut() {
            attachment.detach()?;
        }
        pins::remove_tree(&self.root)
    }

    fn attachments(&self) -> MutexGuard<'_, Vec<Attachment>> {
        self.attachments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for NodePrograms {
    fn drop(&mut self) {
        if !self.pinned
            && let Err(error) = pins::remove_tree(&self.root)
        {
            tracing::warn!(%error, "temporary pins are left behind");
        }
    }
}

impl Maps {
    fn take(loaded: &mut Loaded) -> Result<Self> {
        Ok(Self {
            enrolled: Table::new("ENROLLED", &loaded.map("ENROLLED")?)?,
            exempt: Table::new("EXEMPT", &loaded.map("EXEMPT")?)?,
            own: Table::new("OWN", &loaded.map("OWN")?)?,
            exclude: Table::new("EXCLUDE", &loaded.map("EXCLUDE")?)?,
            probe_ports: Table::new("PROBE_PORTS", &loaded.map("PROBE_PORTS")?)?,
            agent_sockets: Table::new("AGENT_SOCKETS", &loaded.map("AGENT_SOCKETS")?)?,
            counters: Arc::new(CounterTable::new(&loaded.map("COUNTERS")?)?),
        })
    }
}

fn load_hooks(loaded: &mut Loaded, config: &Config) -> Result<Vec<Attachment>> {
    let root = config.pinned.then_some(config.root.as_path());
    let mut attachments = Vec::new();
    for hook in HOOKS {
        let cgroup = match (hook.place, &config.kubelet_cgroup) {
            (Place::Pods, _) => &config.pods_cgroup,
            (Place::Kubelet, Some(cgroup)) => cgroup,
            (Place::Kubelet, None) => continue,
        };
        let program = loaded.program(hook.function)?;
        attachments.push(Attachment::new(hook, program, cgroup, root));
    }
    Ok(attachments)
}

fn set_globals(loader: &mut EbpfLoader<'static>, config: &Config) {
    // Globals are borrowed by the loader, which lives as long as the process: a few bytes per start.
    let mark: &'static u32 = Box::leak(Box::new(config.mark));
    let level: &'static u8 = Box::leak(Box::new(config.log_level));
    let current_task: &'static u8 = Box::leak(Box::new(u8::from(knows_current_task())));
    loader
        .override_global("WEIR_MARK", mark, false)
        .override_global("AYA_LOG_LEVEL", level, false)
        .override_global("CURRENT_TASK", current_task, false);
}

/// Linux 6.1 gave cgroup programs the helpers for pid and name of the process; without them events lack both.
fn knows_current_task() -> bool {
    [bpf_func_id::BPF_FUNC_get_current_pid_tgid, bpf_func_id::BPF_FUNC_get_current_comm]
        .into_iter()
        .all(|helper| is_helper_supported(ProgramType::CgroupSockAddr, helper).unwrap_or(false))
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
    let network = std::net::Ipv6Addr::from(u128::from(v6) & mask);
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
