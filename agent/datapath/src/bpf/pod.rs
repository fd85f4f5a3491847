//! One pod's sk_lookup instance: load, adopt, attach, and its maps.

use std::{
    fs::File,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use weir_ebpf_common::{Addr, PodConfig};

use super::{
    error::BpfError,
    link::{Link, inode},
    object::{self, Loaded, Pins},
    pins, stray,
    sys::{LinkTarget, attach},
    table::{SockTable, Table},
};

type Result<T> = std::result::Result<T, BpfError>;

/// Loads one sk_lookup instance per pod.
#[derive(Debug, Clone)]
pub(crate) struct PodPrograms {
    root: PathBuf,
}

/// The sk_lookup instance of one pod with its maps. Holds the pod's namespace: drop it when the pod is deleted.
#[derive(Debug)]
pub(crate) struct PodProgram {
    dir: PathBuf,
    netns: File,
    target: LinkTarget,
    program: OwnedFd,
    link: Option<Link>,
    adopted: bool,
    listeners: SockTable,
    own: Table<Addr, u32>,
    interfaces: Table<u32, u32>,
    config: Table<u32, PodConfig>,
}

const FUNCTION: &str = "weir_lookup";
const OWN_MAPS: [&str; 4] = ["LISTENERS", "OWN", "INTERFACES", "CONFIG"];
const NODE_MAPS: [&str; 2] = ["PROBES", "COUNTERS"];
const PRESENT: u32 = 1;

impl PodPrograms {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Adopts the pins `<root>/pods/<name>` when their link is on this very namespace: the new program takes over the
    /// old one's maps and link without a gap. Else it starts fresh, not attached yet.
    pub(crate) fn load(&self, pod_dir_name: &str, netns: BorrowedFd<'_>) -> Result<PodProgram> {
        let dir = pins::pod_dir(&self.root, pod_dir_name);
        let netns = File::from(netns.try_clone_to_owned().map_err(|source| BpfError::File {
            action: "duplicate the namespace of",
            path: dir.clone(),
            source,
        })?);
        let target = LinkTarget::Netns { ino: inode(&netns, &dir)? as u32, attach_type: attach::SK_LOOKUP };
        let pinned = match Link::open(&dir.join(pins::LINK))? {
            Some(link) if link.is_on(target)? => Some(link),
            _ => None,
        };
        if pinned.is_none() {
            // Left by a pod whose namespace is gone: its maps would hold somebody else's addresses.
            pins::remove_tree(&dir)?;
        }
        pins::create_dir(&dir)?;
        let mut loaded = object::POD.load(&self.pins(&dir), |_| {})?;
        let program = loaded.program(FUNCTION)?;
        if let Some(link) = &pinned {
            link.update(&format!("pod {pod_dir_name}"), program.as_fd())?;
        }
        let pod = PodProgram::take(&mut loaded, dir, netns, target, program, pinned)?;
        pod.seed()?;
        Ok(pod)
    }

    fn pins(&self, dir: &Path) -> Pins {
        let mut pins = pins::node_maps(&self.root, &NODE_MAPS);
        pins.extend(OWN_MAPS.iter().map(|name| (*name, dir.join(name))));
        pins
    }
}

impl PodProgram {
    /// The pins of an earlier agent were taken over: the link is live, slots may be empty.
    pub(crate) fn adopted(&self) -> bool {
        self.adopted
    }

    /// Puts a listening socket into a slot; replaces atomically what was there.
    pub(crate) fn set_slot(&self, slot: u32, listener: &impl AsFd) -> Result<()> {
        self.listeners.set(slot, listener.as_fd())
    }

    /// SO_COOKIE of the socket in a slot. The kernel empties the slot when the socket is closed.
    pub(crate) fn slot_cookie(&self, slot: u32) -> Result<Option<u64>> {
        self.listeners.cookie(slot)
    }

    /// Empty is fine.
    pub(crate) fn clear_slot(&self, slot: u32) -> Result<()> {
        self.listeners.clear(slot)
    }

    /// Takes inbound traffic of an interface; `base` = `slots::interface_base(n)`. Fill its slots first.
    pub(crate) fn set_interface(&self, ifindex: u32, base: u32) -> Result<()> {
        self.interfaces.set(&ifindex, &base)
    }

    /// Inbound traffic of this interface is dropped from now on. Absent is fine.
    pub(crate) fn remove_interface(&self, ifindex: u32) -> Result<()> {
        self.interfaces.remove(&ifindex).map(drop)
    }

    /// (ifindex, base) of all interfaces.
    pub(crate) fn interfaces(&self) -> Result<Vec<(u32, u32)>> {
        self.interfaces.entries()
    }

    /// An address of the pod. After listeners and interface, before the node's own set (C2).
    pub(crate) fn own_add(&self, ip: IpAddr) -> Result<()> {
        self.own.set(&ip.into(), &PRESENT)
    }

    /// Absent is fine.
    pub(crate) fn own_remove(&self, ip: IpAddr) -> Result<()> {
        self.own.remove(&ip.into()).map(drop)
    }

    /// The pod's addresses as sk_lookup knows them.
    pub(crate) fn own(&self) -> Result<Vec<IpAddr>> {
        Ok(self.own.keys()?.into_iter().map(IpAddr::from).collect())
    }

    /// Connections go to the workers 0..n from here on. Fill the slots first.
    pub(crate) fn set_workers(&self, n: u32) -> Result<()> {
        let seed = self.config.get(&0)?.map_or(0, |config| config.seed);
        self.config.set(&0, &PodConfig { workers: n, seed })
    }

    /// Workers that connections go to, 0 before `set_workers`.
    pub(crate) fn workers(&self) -> Result<u32> {
        Ok(self.config.get(&0)?.map_or(0, |config| config.workers))
    }

    /// Links the program to the namespace and pins the link. Instances of ours that somebody else left there are
    /// detached first: the kernel runs all of them, and the stricter answer wins. Nothing to do when it is live.
    pub(crate) fn attach(&mut self) -> Result<()> {
        if self.alive() {
            return Ok(());
        }
        let name = self.dir.display().to_string();
        stray::detach(self.netns.as_fd(), self.target, FUNCTION)?;
        let link = Link::create(&name, self.program.as_fd(), self.netns.as_fd(), attach::SK_LOOKUP)?;
        pins::create_dir(&self.dir)?;
        link.pin(&self.dir.join(pins::LINK))?;
        self.link = Some(link);
        Ok(())
    }

    /// The link goes, and with it the capture of this namespace; all pins of the pod are removed. The maps live on until
    /// this value is dropped.
    pub(crate) fn detach_and_unpin(&mut self) -> Result<()> {
        if let Some(link) = self.link.take() {
            link.detach(&self.dir.display().to_string())?;
        }
        pins::remove_tree(&self.dir)
    }

    /// The pinned link is attached to the pod's namespace.
    pub(crate) fn alive(&self) -> bool {
        self.is_alive().unwrap_or(false)
    }

    fn is_alive(&self) -> Result<bool> {
        let Some(link) = &self.link else { return Ok(false) };
        let info = link.info()?;
        let pinned = Link::open(&self.dir.join(pins::LINK))?.map(|link| link.info()).transpose()?;
        Ok(info.target == self.target && pinned.is_some_and(|pinned| pinned.id == info.id))
    }

    /// The loaded program.
    #[cfg(test)]
    pub(super) fn program(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }

    fn take(
        loaded: &mut Loaded,
        dir: PathBuf,
        netns: File,
        target: LinkTarget,
        program: OwnedFd,
        link: Option<Link>,
    ) -> Result<Self> {
        Ok(Self {
            dir,
            netns,
            target,
            program,
            adopted: link.is_some(),
            link,
            listeners: SockTable::new("LISTENERS", &loaded.map("LISTENERS")?)?,
            own: Table::new("OWN", &loaded.map("OWN")?)?,
            interfaces: Table::new("INTERFACES", &loaded.map("INTERFACES")?)?,
            config: Table::new("CONFIG", &loaded.map("CONFIG")?)?,
        })
    }

    /// An adopted pod keeps its seed: a connection in the middle of a handshake keeps its worker.
    fn seed(&self) -> Result<()> {
        let config = self.config.get(&0)?.unwrap_or(PodConfig { workers: 0, seed: 0 });
        if config.seed != 0 {
            return Ok(());
        }
        let seed = (RandomState::new().hash_one(self.dir.as_path()) as u32).max(1);
        self.config.set(&0, &PodConfig { seed, ..config })
    }
}
