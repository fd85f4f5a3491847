//! The thread that hears of changes: addresses, links and rules in the pods' namespaces (netlink), and namespace files that go away
//! (inotify). It only triggers; what to do is found by looking.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::fs::inotify;

use crate::datapath::{Node, lock};
use crate::error::{DatapathError, Result};
use crate::pod::{Phase, Pod};

/// Handle of the watching thread.
#[derive(Debug)]
pub(crate) struct Watcher {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    epoll: OwnedFd,
    inotify: OwnedFd,
    wake: OwnedFd,
    stop: AtomicBool,
}

impl Watcher {
    /// Starts the thread. It ends by [`Watcher::stop`], or when the node is gone.
    pub(crate) fn start(node: Weak<Node>) -> Result<Self> {
        let made = Shared::new().map_err(|error| DatapathError::System {
            action: "watch for changes".into(),
            source: error.into(),
        });
        let shared = Arc::new(made?);
        let watching = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("weir-watch".into())
            .spawn(move || watching.run(&node))
            .map_err(DatapathError::system("start the watching thread"))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Begins to watch a pod. What cannot be watched is left to reconcile, which looks every 30 s.
    pub(crate) fn watch(&self, pod: &Pod) {
        let cookie = epoll::EventData::new_u64(pod.netns.cookie());
        // Ends by itself: the kernel forgets a descriptor when it is closed.
        if let Err(error) = epoll::add(&self.shared.epoll, &pod.subscription, cookie, epoll::EventFlags::IN) {
            tracing::warn!(pod = pod.spec.uid, %error, "address changes of this pod are only seen by reconcile");
        }
        let directory = pod.spec.netns.parent().filter(|directory| !directory.starts_with("/proc"));
        if let Some(directory) = directory
            && let Err(error) = inotify::add_watch(&self.shared.inotify, directory, deletions())
        {
            tracing::warn!(pod = pod.spec.uid, directory = %directory.display(), %error, "deletion of this pod is only seen by reconcile");
        }
    }

    /// Ends the thread; when this returns, it touches no pod any more.
    pub(crate) fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        let _ = rustix::io::write(&self.shared.wake, &1_u64.to_ne_bytes());
        if let Some(thread) = lock(&self.thread).take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn new() -> rustix::io::Result<Self> {
        let shared = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            inotify: inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?,
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            stop: AtomicBool::new(false),
        };
        epoll::add(
            &shared.epoll,
            &shared.inotify,
            epoll::EventData::new_u64(INOTIFY),
            epoll::EventFlags::IN,
        )?;
        epoll::add(&shared.epoll, &shared.wake, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)?;
        Ok(shared)
    }

    fn run(&self, node: &Weak<Node>) {
        let mut events = Vec::with_capacity(64);
        loop {
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => {
                    return tracing::error!(%error, "no longer watching for changes; reconcile still looks every 30 s");
                }
                Ok(_) => {}
            }
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            let Some(node) = node.upgrade() else { return };
            for event in &events {
                match event.data.u64() {
                    INOTIFY => self.deletion(&node),
                    WAKE => {}
                    cookie => changed(&node, cookie),
                }
            }
            drop(node);
            // Changes come in bursts (an address, its route, its link); one look serves them all, and a pod that makes changes in a
            // loop costs the node little.
            std::thread::sleep(SETTLE);
        }
    }

    fn deletion(&self, node: &Node) {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(self.inotify.as_fd(), &mut buffer);
        while reader.next().is_ok() {}
        node.release_gone();
    }
}

/// Looks at the pod whose subscription has something to read.
fn changed(node: &Node, cookie: u64) {
    for pod in node.all_pods() {
        let mut pod = lock(&pod);
        if pod.netns.cookie() != cookie {
            continue;
        }
        if !pod.subscription.drain() || pod.phase != Phase::Captured {
            return;
        }
        match node.refresh(&mut pod) {
            Ok(done) if done.is_empty() => {}
            Ok(done) => tracing::info!(pod = pod.spec.uid, ?done, "pod changed"),
            Err(error) => {
                tracing::warn!(pod = pod.spec.uid, %error, "pod changed and is not fully captured")
            }
        }
        return;
    }
}

fn deletions() -> inotify::WatchFlags {
    use inotify::WatchFlags;
    WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF
}

/// Values of epoll data that are not cookies (those count up from 1).
const INOTIFY: u64 = u64::MAX;
const WAKE: u64 = u64::MAX - 1;
const SETTLE: Duration = Duration::from_millis(5);
