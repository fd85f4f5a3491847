//! A node without pods: one thread in its own network and mount namespace, with a bpffs and a cgroup tree.
//!
//! ```text
//! <cgroup2>/weir-kernel-test-<pid>-<n>     threaded, so that single threads of the test can be in it
//!     pods/app      an app of a pod
//!     pods/agent    the agent, as a DaemonSet is below the pods' cgroup
//!     kubelet
//! ```

use std::{
    fs, io,
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    os::{fd::AsFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use socket2::{Domain, Protocol, Socket, Type};

use crate::bpf::{Config, NodePrograms};
use crate::config::Kubelet;
pub(super) use crate::tests::ground::eventually;
use crate::tests::ground::{alone, cgroup_root};

pub(super) struct Stage {
    directory: tempfile::TempDir,
    pub(super) cgroup: PathBuf,
    pub(super) netns: fs::File,
}

/// Runs a test on a stage of its own.
///
/// Without root it is skipped with a word about it, and fails when CI=true.
pub(super) fn on_stage(test: impl FnOnce(&Stage) + Send + 'static) {
    alone(|| {
        let stage = Stage::set();
        test(&stage);
    });
}

impl Stage {
    fn set() -> Self {
        static STAGES: AtomicU32 = AtomicU32::new(0);
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
        let directory = tempfile::tempdir().unwrap();
        mount("bpf", directory.path(), "bpf", MountFlags::empty(), Some(c"mode=0700")).unwrap();
        let number = STAGES.fetch_add(1, Ordering::Relaxed);
        let cgroup = cgroup_root().join(format!("weir-kernel-test-{}-{number}", std::process::id()));
        let netns = fs::File::open("/proc/thread-self/ns/net").unwrap();
        let stage = Self { directory, cgroup, netns };
        for name in CGROUPS {
            stage.make_cgroup(name);
        }
        ip("link set lo up");
        stage
    }

    pub(super) fn make_cgroup(&self, name: &str) {
        let path = self.cgroup.join(name);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("cgroup.type"), "threaded").unwrap();
    }

    pub(super) fn remove_cgroup(&self, name: &str) {
        let path = self.cgroup.join(name);
        // A thread that has just ended still counts for some milliseconds.
        assert!(eventually(|| fs::remove_dir(&path).is_ok()), "cgroup {} is busy", path.display());
    }

    pub(super) fn cgroup_id(&self, name: &str) -> u64 {
        fs::metadata(self.cgroup.join(name)).unwrap().ino()
    }

    pub(super) fn root(&self) -> PathBuf {
        self.directory.path().join("v1")
    }

    pub(super) fn config(&self) -> Config {
        Config {
            root: self.root(),
            pods_cgroup: self.cgroup.join("pods"),
            kubelet: Kubelet::Cgroup(self.cgroup.join("kubelet")),
            mark: weir_ebpf_common::MARK,
            log_level: 0,
        }
    }

    /// The node's programs, with this namespace enrolled as a pod that has `OWN`, and the agent exempt.
    pub(super) fn enrolled(&self) -> NodePrograms {
        let node = NodePrograms::start(&self.config()).unwrap();
        node.exempt_cgroup(self.cgroup_id("pods/agent"), std::process::id(), |_, _| false).unwrap();
        for ip in OWN {
            node.own_add(self.cookie(), ip.parse().unwrap()).unwrap();
        }
        node.enrol(self.cookie()).unwrap();
        node
    }

    /// netns cookie of the stage.
    pub(super) fn cookie(&self) -> u64 {
        netns_cookie()
    }

    /// Runs `act` in a thread of this cgroup (and of the stage's namespace).
    pub(super) fn within<T: Send>(&self, cgroup: &str, act: impl FnOnce() -> T + Send) -> T {
        let threads = self.cgroup.join(cgroup).join("cgroup.threads");
        std::thread::scope(|scope| {
            scope
                .spawn(move || {
                    fs::write(threads, rustix::thread::gettid().as_raw_nonzero().to_string()).unwrap();
                    act()
                })
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = unmount(self.directory.path(), UnmountFlags::DETACH);
        let gone = CGROUPS.iter().rev().all(|name| {
            let path = self.cgroup.join(name);
            eventually(|| fs::remove_dir(&path).is_ok() || !path.exists())
        });
        if !gone && !std::thread::panicking() {
            panic!("cgroups below {} cannot be removed", self.cgroup.display());
        }
    }
}

const CGROUPS: [&str; 5] = ["", "pods", "pods/app", "pods/agent", "kubelet"];

/// Addresses of the stage's pod.
pub(super) const OWN: [&str; 2] = ["10.9.1.2", "fd09::2"];

/// Runs `ip ARGUMENTS` in this thread's namespace.
pub(super) fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Gives the namespace an address, and waits until it has the route to it: for IPv6 the kernel adds that later.
pub(super) fn add_address(address: &str) {
    let address: IpAddr = address.parse().unwrap();
    let (length, option) = if address.is_ipv4() { (32, "") } else { (128, "nodad") };
    ip(&format!("address add {address}/{length} dev lo {option}"));
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let probe = UdpSocket::bind(any).unwrap();
    assert!(eventually(|| probe.connect((address, 9)).is_ok()), "no route to {address}");
}

/// Writes a sysctl of this thread's namespace.
pub(super) fn sysctl(name: &str, value: &str) {
    fs::write(Path::new("/proc/sys").join(name), value).unwrap();
}

pub(super) fn socket(destination: IpAddr) -> Socket {
    let domain = if destination.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    Socket::new(domain, Type::STREAM, Some(Protocol::TCP)).unwrap()
}

/// connect() that does not wait: what the hooks said of it.
pub(super) fn try_connect(socket: &Socket, destination: SocketAddr) -> io::Result<()> {
    socket.set_nonblocking(true).unwrap();
    socket.connect(&destination.into())
}

pub(super) fn listen(at: &str) -> TcpListener {
    TcpListener::bind(at.parse::<SocketAddr>().unwrap()).unwrap()
}

/// A listener as the agent makes them: IPv4 and IPv6, transparent, one of a SO_REUSEPORT group.
pub(super) fn agent_listener(port: u16) -> TcpListener {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).unwrap();
    socket.set_only_v6(false).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.set_ip_transparent_v4(true).unwrap();
    socket.set_ip_transparent_v6(true).unwrap();
    socket.bind(&SocketAddr::new("::ffff:127.13.0.1".parse().unwrap(), port).into()).unwrap();
    socket.listen(128).unwrap();
    socket.into()
}

/// SO_COOKIE.
pub(super) fn cookie(socket: &impl AsFd) -> u64 {
    socket2::SockRef::from(socket).cookie().unwrap()
}

fn netns_cookie() -> u64 {
    crate::netns::Netns::current().unwrap().cookie()
}
