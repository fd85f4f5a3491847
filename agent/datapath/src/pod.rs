//! One enrolled pod: what it should look like, and what this process holds of it.

use std::collections::BTreeSet;
use std::net::{IpAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::address::{InterfaceNumbers, Snapshot};
use crate::bpf::{PodProgram, slots};
use crate::listener::{ListenerKind, PodListener};
use crate::netlink::{Netlink, Subscription};
use crate::netns::{Inode, Netns};
use crate::socket::PodSockets;
use crate::state::State;

/// A pod that shall be captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodSpec {
    /// Unique for the life of the pod.
    pub uid: String,
    /// The pod's network namespace, as the CNI named it (`/run/netns/...`, or `/proc/<pid>/ns/net`). When this path is gone, the pod is.
    pub netns: PathBuf,
    /// The pod's addresses; the namespace must hold at least one of them.
    pub addresses: Vec<IpAddr>,
    /// Ports that the kubelet probes: its connections there go straight to the app.
    pub probe_ports: Vec<u16>,
}

/// What the agent gets for an enrolled pod.
///
/// When `new_listeners` ends, the data path has let the pod go (deleted, un-enrolled, or enrolled again): abort its connections and drop
/// everything of it, because each socket keeps the pod's namespace alive.
#[derive(Debug)]
pub struct EnrolledPod {
    /// As in [`PodSpec`].
    pub uid: String,
    /// The kernel's number for the pod's namespace; [`crate::Event`]s carry it.
    pub netns_cookie: u64,
    /// One per worker and kind; inbound ones once more per interface.
    pub listeners: Vec<PodListener>,
    /// Makes the pod's sockets.
    pub sockets: Arc<PodSockets>,
    /// Listeners that are made later: for an interface that appears, or in place of one that was lost.
    pub new_listeners: UnboundedReceiver<PodListener>,
}

/// The state of one pod in this process. All methods that touch the namespace run inside it.
#[derive(Debug)]
pub(crate) struct Pod {
    pub(crate) spec: PodSpec,
    pub(crate) netns: Arc<Netns>,
    pub(crate) state: State,
    pub(crate) netlink: Netlink,
    pub(crate) subscription: Subscription,
    pub(crate) program: PodProgram,
    pub(crate) snapshot: Snapshot,
    pub(crate) numbers: InterfaceNumbers,
    pub(crate) listeners: Vec<Held>,
    pub(crate) sockets: Arc<PodSockets>,
    pub(crate) fresh: UnboundedSender<PodListener>,
    pub(crate) probes: BTreeSet<(IpAddr, u16)>,
    pub(crate) phase: Phase,
    /// False if IPv6 is switched off on the pod's lo: nothing can be delivered over it, IPv6 is closed for this pod.
    pub(crate) loopback_v6: bool,
    /// Why the pod is not fully captured, as the last look found. `None`: it is.
    pub(crate) trouble: Option<String>,
}

/// Where a pod is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Captured, kept so by reconcile.
    Captured,
    /// Being un-enrolled: nothing new is captured since then.
    Stopped(Instant),
}

/// A listener of which the agent has a duplicate.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) seat: Seat,
    pub(crate) socket: TcpListener,
}

/// Which listener: also decides the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) kind: ListenerKind,
    pub(crate) worker: u32,
    /// Interface index and its number; `None` for outbound.
    pub(crate) interface: Option<(u32, u32)>,
}

impl Seat {
    /// The entry of LISTENERS for this seat.
    pub(crate) fn slot(self) -> u32 {
        match (self.kind, self.interface) {
            (ListenerKind::Plaintext, Some((_, number))) => {
                slots::plaintext(slots::interface_base(number), self.worker)
            }
            (ListenerKind::Hbone, Some((_, number))) => {
                slots::hbone(slots::interface_base(number), self.worker)
            }
            _ => slots::outbound(self.worker),
        }
    }

    /// All seats of a pod with these interfaces.
    pub(crate) fn all(workers: u32, numbers: &InterfaceNumbers) -> Vec<Self> {
        let mut seats: Vec<Self> = (0..workers)
            .map(|worker| Self { kind: ListenerKind::Outbound, worker, interface: None })
            .collect();
        for index in numbers.indexes() {
            let interface = numbers.get(index).map(|number| (index, number));
            for kind in [ListenerKind::Plaintext, ListenerKind::Hbone] {
                seats.extend((0..workers).map(|worker| Self { kind, worker, interface }));
            }
        }
        seats
    }
}

impl Held {
    /// A duplicate for the agent.
    pub(crate) fn hand_out(&self) -> std::io::Result<PodListener> {
        Ok(PodListener {
            kind: self.seat.kind,
            worker: self.seat.worker as usize,
            interface: self.seat.interface.map(|(index, _)| index),
            socket: self.socket.try_clone()?,
        })
    }
}

impl Pod {
    /// The pod as the agent sees it, with a duplicate of every listener.
    pub(crate) fn hand_out(
        &self,
        new_listeners: UnboundedReceiver<PodListener>,
    ) -> std::io::Result<EnrolledPod> {
        Ok(EnrolledPod {
            uid: self.spec.uid.clone(),
            netns_cookie: self.netns.cookie(),
            listeners: self.listeners.iter().map(Held::hand_out).collect::<Result<_, _>>()?,
            sockets: Arc::clone(&self.sockets),
            new_listeners,
        })
    }

    /// True if the pod's namespace is no longer what lies at its path: the pod was deleted, or made anew under the same name.
    pub(crate) fn is_gone(&self) -> bool {
        match Inode::at(&self.spec.netns) {
            Ok(found) => found != self.netns.inode(),
            // A process that ended while its directory was looked at says ESRCH. Any other error says nothing about the pod.
            Err(error) => {
                error.kind() == std::io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
            }
        }
    }
}

/// Name of the pod's directory in bpffs (no dots: the kernel forbids them).
pub(crate) fn pin_name(cookie: u64) -> String {
    format!("netns-{cookie}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_have_slots_of_their_own() {
        let mut numbers = InterfaceNumbers::default();
        for index in [2, 17] {
            numbers.assign(index, slots::MAX_INTERFACES);
        }
        let seats = Seat::all(3, &numbers);
        assert_eq!(seats.len(), 3 + 2 * 2 * 3);
        let slots: BTreeSet<u32> = seats.iter().map(|seat| seat.slot()).collect();
        assert_eq!(
            slots.into_iter().collect::<Vec<_>>(),
            [0, 1, 2, 16, 17, 18, 32, 33, 34, 48, 49, 50, 64, 65, 66]
        );
    }
}
