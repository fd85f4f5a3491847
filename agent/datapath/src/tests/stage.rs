//! The stage of a test: a node of its own (mount and network namespace, bpffs, cgroup), scratch pods on it, and small actors.
//!
//! Actors are threads. The pods' cgroup is a threaded one, so that single threads of the test can be "in a pod".

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use socket2::{Domain, Protocol, Socket, Type};

pub(super) use super::ground::{LONG, eventually};
use super::ground::{alone, cgroup_root};
use crate::netns::Netns;
use crate::scratch::Scratch;
use crate::{Config, Datapath, EnrolledPod, ListenerKind, PodSpec};

/// A node without a data path.
pub(super) struct Stage {
    pub(super) directory: tempfile::TempDir,
    pub(super) pods_cgroup: PathBuf,
}

/// Runs a test on a stage of its own.
pub(super) fn on_stage(test: impl FnOnce(&Stage) + Send + 'static) {
    alone(|| {
        let stage = Stage::set();
        test(&stage);
    });
}

/// Runs a test with a data path on a stage of its own and a pod that it captures; both are let go at the end.
pub(super) fn on_pod(test: impl FnOnce(&Stage, &Scratch, &Datapath, &EnrolledPod) + Send + 'static) {
    on_stage(|stage| {
        let datapath = stage.datapath();
        let scratch = Scratch::new().unwrap();
        let pod = datapath.enrol(spec(&scratch)).unwrap();
        test(stage, &scratch, &datapath, &pod);
        datapath.shutdown(crate::Leave::Open).unwrap();
    });
}

impl Stage {
    fn set() -> Self {
        use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let bpffs = directory.path().join("bpf");
        std::fs::create_dir(&bpffs).unwrap();
        mount("bpf", &bpffs, "bpf", MountFlags::empty(), Some(c"mode=0700")).unwrap();
        let number = STAGES.fetch_add(1, Ordering::Relaxed);
        let pods_cgroup = cgroup_root().join(format!("weir-netns-test-{}-{number}", std::process::id()));
        std::fs::create_dir(&pods_cgroup).unwrap();
        std::fs::write(pods_cgroup.join("cgroup.type"), "threaded").unwrap();
        Self { directory, pods_cgroup }
    }

    /// Settings of a data path on this node, without a self-test.
    pub(super) fn config(&self) -> Config {
        Config {
            bpffs: self.directory.path().join("bpf"),
            runtime_dir: self.directory.path().join("run"),
            pods_cgroup: self.pods_cgroup.clone(),
            self_test: false,
            exclude: vec![("192.0.2.128".parse().unwrap(), 25)],
            ..Config::default()
        }
    }

    pub(super) fn datapath(&self) -> Arc<Datapath> {
        Datapath::start(self.config()).unwrap()
    }

    /// Runs `act` as a thread of the pod: in its namespace and in the pods' cgroup.
    pub(super) fn app<T: Send>(&self, scratch: &Scratch, act: impl FnOnce() -> T + Send) -> T {
        let threads = self.pods_cgroup.join("cgroup.threads");
        let act = || {
            std::fs::write(threads, rustix::thread::gettid().as_raw_nonzero().to_string()).unwrap();
            act()
        };
        scratch.pod.run(act).unwrap()
    }

    /// Runs `act` as a thread of an agent below the pods' cgroup, as that of a DaemonSet is.
    pub(super) fn agent<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let threads = self.pods_cgroup.join("cgroup.threads");
        let act = || {
            std::fs::write(threads, rustix::thread::gettid().as_raw_nonzero().to_string()).unwrap();
            act()
        };
        let ended = std::thread::scope(|scope| scope.spawn(act).join());
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// The app connects to `destination`.
    pub(super) fn app_connects(&self, scratch: &Scratch, destination: SocketAddr) -> io::Result<TcpStream> {
        self.app(scratch, || connect(destination))
    }

    /// The app listens.
    pub(super) fn app_listens(&self, scratch: &Scratch, at: SocketAddr) -> TcpListener {
        self.app(scratch, || TcpListener::bind(at).unwrap())
    }

    /// Files below bpffs that are not of the node's own programs.
    pub(super) fn pod_pins(&self) -> Vec<PathBuf> {
        let pods = self.directory.path().join("bpf/v1/pods");
        std::fs::read_dir(pods)
            .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
            .unwrap_or_default()
    }

    /// Files about pods in the runtime directory.
    pub(super) fn state_files(&self) -> usize {
        std::fs::read_dir(self.directory.path().join("run/pods")).map_or(0, Iterator::count)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ =
            rustix::mount::unmount(self.directory.path().join("bpf"), rustix::mount::UnmountFlags::DETACH);
        // Threads that have just ended still count for some milliseconds.
        let removed = eventually(|| std::fs::remove_dir(&self.pods_cgroup).is_ok());
        if !removed && !std::thread::panicking() {
            panic!("cgroup {} cannot be removed", self.pods_cgroup.display());
        }
    }
}

/// What a pod with this scratch namespace says of itself.
pub(super) fn spec(scratch: &Scratch) -> PodSpec {
    PodSpec {
        uid: "Kubernetes//Pod/test/a".into(),
        netns: scratch.path(),
        addresses: scratch.addresses(),
        probe_ports: Vec::new(),
    }
}

/// Connects within two seconds.
pub(super) fn connect(destination: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&destination, LONG)
}

/// A client in the scratch pair's other namespace.
pub(super) fn remote_connects(scratch: &Scratch, destination: SocketAddr) -> io::Result<TcpStream> {
    scratch.remote.run(|| connect(destination)).unwrap()
}

/// What the agent accepts from its listeners of one kind, if anything comes within two seconds.
pub(super) fn agent_accepts(pod: &EnrolledPod, kind: ListenerKind) -> Option<TcpStream> {
    let mut accepted = None;
    eventually(|| {
        accepted = pending(pod, kind);
        accepted.is_some()
    });
    accepted
}

/// What the agent can accept right now.
pub(super) fn pending(pod: &EnrolledPod, kind: ListenerKind) -> Option<TcpStream> {
    let listeners = pod.listeners.iter().filter(|listener| listener.kind == kind);
    listeners.map(|listener| listener.socket.accept()).find_map(Result::ok).map(|(stream, _)| {
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    })
}

/// Delivers to the app as the agent does.
pub(super) fn deliver(pod: &EnrolledPod, client: IpAddr, app: SocketAddr) -> io::Result<TcpStream> {
    let socket = pod.sockets.deliver(client, app)?;
    socket.connect_timeout(&app.into(), LONG)?;
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(LONG))?;
    Ok(socket.into())
}

/// A plain socket in a namespace, for what std's types cannot do.
pub(super) fn socket_in(netns: &Netns, domain: Domain) -> Socket {
    netns.run(|| Socket::new(domain, Type::STREAM, Some(Protocol::TCP)).unwrap()).unwrap()
}

/// A network namespace as a file that can be deleted, as `ip netns` makes them.
pub(super) struct Named {
    pub(super) path: PathBuf,
}

impl Named {
    pub(super) fn new(directory: &Path, scratch: &Scratch) -> Self {
        let path = directory.join("named");
        std::fs::write(&path, "").unwrap();
        rustix::mount::mount_bind(scratch.path(), &path).unwrap();
        Self { path }
    }

    /// `ip netns del`.
    pub(super) fn delete(self) {
        rustix::mount::unmount(&self.path, rustix::mount::UnmountFlags::DETACH).unwrap();
        std::fs::remove_file(&self.path).unwrap();
    }
}

static STAGES: AtomicU32 = AtomicU32::new(0);
