//! Which program goes where, and keeping it there.

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use super::{
    error::BpfError,
    link::{Link, inode},
    neighbours, pins,
    sys::{LinkTarget, attach},
};

/// The cgroup that a hook is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Pods,
    Kubelet,
}

/// A program of the node's object with its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hook {
    /// Name of its pin, and in messages.
    pub(super) name: &'static str,
    pub(super) function: &'static str,
    pub(super) attach_type: u32,
    pub(super) place: Place,
}

const fn hook(name: &'static str, function: &'static str, attach_type: u32, place: Place) -> Hook {
    Hook { name, function, attach_type, place }
}

/// Name of the hook that tells the kubelet's probes apart; all others capture.
pub(crate) const KUBELET_HOOK: &str = "kubelet";

/// connect comes last: nothing is captured before the rest is in place.
pub(super) const HOOKS: [Hook; 6] = [
    hook(KUBELET_HOOK, "weir_kubelet", attach::SOCK_OPS, Place::Kubelet),
    hook("sock_ops", "weir_sock_ops", attach::SOCK_OPS, Place::Pods),
    hook("bind4", "weir_bind4", attach::BIND4, Place::Pods),
    hook("bind6", "weir_bind6", attach::BIND6, Place::Pods),
    hook("connect4", "weir_connect4", attach::CONNECT4, Place::Pods),
    hook("connect6", "weir_connect6", attach::CONNECT6, Place::Pods),
];

/// A loaded program, its cgroup, and its link while it is attached.
#[derive(Debug)]
pub(super) struct Attachment {
    hook: Hook,
    program: OwnedFd,
    cgroup: PathBuf,
    pin: PathBuf,
    link: Option<Link>,
}

impl Attachment {
    /// `root`: below it links are pinned.
    pub(super) fn new(hook: Hook, program: OwnedFd, cgroup: &Path, root: &Path) -> Self {
        let pin = pins::link(root, hook.name);
        Self { hook, program, cgroup: cgroup.to_owned(), pin, link: None }
    }

    pub(super) fn name(&self) -> &'static str {
        self.hook.name
    }

    pub(super) fn place(&self) -> Place {
        self.hook.place
    }

    /// Refuses a place where ours would harm another program. A link that is there already has done no harm.
    pub(super) fn check_neighbours(&self) -> Result<(), BpfError> {
        let (_, target) = self.target()?;
        match Link::open(&self.pin)? {
            Some(link) if link.is_on(target)? => Ok(()),
            _ => neighbours::check(&self.cgroup, self.hook.name, self.hook.attach_type),
        }
    }

    /// Takes over the pinned link when it is on this very cgroup with this attach type (the kernel would accept a bind4
    /// program on a connect4 link). A dead one, or one on a cgroup that is gone, is replaced: the new link is attached
    /// before the old one goes.
    pub(super) fn attach(&mut self) -> Result<(), BpfError> {
        let (dir, target) = self.target()?;
        if let Some(link) = Link::open(&self.pin)?
            && link.is_on(target)?
        {
            link.update(self.hook.name, self.program.as_fd())?;
            tracing::debug!(hook = self.hook.name, "adopted the pinned link");
            self.link = Some(link);
            return Ok(());
        }
        neighbours::check(&self.cgroup, self.hook.name, self.hook.attach_type)?;
        let what = format!("{} to cgroup {}", self.hook.name, self.cgroup.display());
        let link = Link::create(&what, self.program.as_fd(), dir.as_fd(), self.hook.attach_type)?;
        link.pin(&self.pin)?;
        self.link = Some(link);
        Ok(())
    }

    /// Nothing, or what is wrong.
    pub(super) fn fault(&self) -> Option<String> {
        match self.check() {
            Ok(fault) => fault,
            Err(error) => Some(error.to_string()),
        }
    }

    fn check(&self) -> Result<Option<String>, BpfError> {
        let Some(link) = &self.link else {
            return Ok(Some("not attached".to_owned()));
        };
        let (_, target) = self.target()?;
        let info = link.info()?;
        if info.target != target {
            return Ok(Some(match info.target {
                LinkTarget::Cgroup { id: 0, .. } => "the link was detached".to_owned(),
                _ => format!("the cgroup {} was made anew", self.cgroup.display()),
            }));
        }
        Ok(match Link::open(&self.pin)? {
            None => Some(format!("the pin {} is gone", self.pin.display())),
            Some(pinned) if pinned.info()?.id != info.id => {
                Some(format!("{} is another link", self.pin.display()))
            }
            Some(_) => None,
        })
    }

    /// Detaches for good and removes the pin.
    pub(super) fn detach(&mut self) -> Result<(), BpfError> {
        if let Some(link) = self.link.take() {
            link.detach(self.hook.name)?;
        }
        match std::fs::remove_file(&self.pin) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(BpfError::File { action: "remove", path: self.pin.clone(), source })
            }
            _ => Ok(()),
        }
    }

    fn target(&self) -> Result<(File, LinkTarget), BpfError> {
        let dir = open_cgroup(&self.cgroup)?;
        let id = inode(&dir, &self.cgroup)?;
        Ok((dir, LinkTarget::Cgroup { id, attach_type: self.hook.attach_type }))
    }
}

/// A directory of the cgroup v2 hierarchy.
pub(super) fn open_cgroup(path: &Path) -> Result<File, BpfError> {
    const CGROUP2_MAGIC: i64 = 0x6367_7270;
    let dir = File::open(path).map_err(|source| BpfError::File {
        action: "open cgroup",
        path: path.to_owned(),
        source,
    })?;
    match rustix::fs::fstatfs(&dir) {
        Ok(fs) if fs.f_type == CGROUP2_MAGIC => Ok(dir),
        _ => Err(BpfError::NotCgroup { path: path.to_owned() }),
    }
}
