//! Enrolment: from a path to a captured pod.

mod adopt;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use crate::bpf::KUBELET_HOOK;
use crate::datapath::{Admission, Datapath, Node, in_pod, lock};
use crate::error::{DatapathError, Result};
use crate::listener;
use crate::netlink::{Netlink, Subscription};
use crate::netns::Netns;
use crate::pod::{EnrolledPod, Phase, Pod, PodSpec, pin_name};
use crate::socket::PodSockets;
use crate::state::State;
use adopt::adopt_numbers;

impl Datapath {
    /// Captures a pod. Returns when it is captured; an error leaves it as it was.
    ///
    /// Enrolling a pod that is enrolled already updates it (addresses, probe ports) and hands out its listeners once more; the channel
    /// of the earlier [`EnrolledPod`] ends. What an earlier agent left in the pod is adopted.
    pub fn enrol(&self, spec: PodSpec) -> Result<EnrolledPod> {
        let node = self.node();
        let admission = lock(&node.enrolling);
        if *admission == Admission::Over {
            return Err(DatapathError::ShutDown { uid: spec.uid });
        }
        let netns = node.inspect(&spec)?;
        node.hooks_in_place()?;
        if let Ok(known) = node.pod(&spec.uid) {
            if lock(&known).netns.cookie() == netns.cookie() {
                return node.enrol_again(&known, spec);
            }
            // The same pod in a new namespace: the old one is dead, whatever its path says.
            node.release(&spec.uid);
        }
        let (pod, enrolled) = node.enrol_new(spec, netns)?;
        tracing::info!(
            pod = pod.spec.uid,
            netns = pod.netns.cookie(),
            adopted = pod.program.adopted(),
            port = pod.state.port,
            "pod captured"
        );
        self.watcher().watch(&pod);
        node.pods().insert(pod.spec.uid.clone(), Arc::new(Mutex::new(pod)));
        Ok(enrolled)
    }

    /// Takes over the addresses and probe ports of a pod that stays in its namespace. It is captured all the while; its listeners, its
    /// connections and its [`EnrolledPod`] stay. What could not be set up now is tried again by reconcile.
    pub fn update(&self, spec: PodSpec) -> Result<()> {
        let node = self.node();
        let pod = node.pod(&spec.uid)?;
        let mut pod = lock(&pod);
        if pod.phase != Phase::Captured {
            return Err(DatapathError::NoSuchPod { uid: spec.uid });
        }
        pod.spec = PodSpec { netns: pod.spec.netns.clone(), ..spec };
        let done = node.refresh(&mut pod)?;
        tracing::info!(pod = pod.spec.uid, ?done, "pod updated");
        Ok(())
    }
}

impl Node {
    /// A pods' cgroup that was made anew, as it is when the last pod of a node went and another came, has none of our hooks: its pods
    /// would speak plainly until the next look of reconcile. The kubelet's hook may be missing: that costs probes, not protection.
    fn hooks_in_place(&self) -> Result<()> {
        match self.programs.repair() {
            Ok(repaired) if repaired.is_empty() => {}
            Ok(repaired) => tracing::warn!(?repaired, "hooks were missing when a pod was enrolled"),
            Err(error) if self.programs.verify().iter().any(|fault| fault.what != KUBELET_HOOK) => {
                return Err(error.into());
            }
            Err(error) => tracing::debug!(%error, "the kubelet's hook is missing"),
        }
        Ok(())
    }

    /// Opens the namespace and refuses those that must not be captured.
    fn inspect(&self, spec: &PodSpec) -> Result<Netns> {
        let (uid, path) = (spec.uid.clone(), spec.netns.clone());
        let netns = match Netns::open(&spec.netns) {
            Ok(netns) => netns,
            Err(source) => return Err(DatapathError::OpenNetns { uid, path, source }),
        };
        let whose = if Some(netns.inode().number) == self.host {
            "the host"
        } else if netns.cookie() == self.home.cookie() {
            "this agent"
        } else {
            return self.refuse_shared(spec, netns);
        };
        Err(DatapathError::HostNetns { uid, path, whose })
    }

    fn refuse_shared(&self, spec: &PodSpec, netns: Netns) -> Result<Netns> {
        for (other, pod) in self.pods().iter() {
            if *other != spec.uid && lock(pod).netns.cookie() == netns.cookie() {
                let (uid, path, other) = (spec.uid.clone(), spec.netns.clone(), other.clone());
                return Err(DatapathError::NetnsTaken { uid, path, other });
            }
        }
        Ok(netns)
    }

    fn enrol_again(&self, known: &Mutex<Pod>, spec: PodSpec) -> Result<EnrolledPod> {
        let mut pod = lock(known);
        let (fresh, new_listeners) = mpsc::unbounded_channel();
        pod.phase = Phase::Captured;
        pod.spec = spec;
        self.converge(&mut pod)?;
        pod.fresh = fresh;
        pod.hand_out(new_listeners).map_err(DatapathError::system("duplicate the pod's listeners"))
    }

    /// One walk over a pod that this process does not know. On failure everything is taken back, unless an earlier agent had captured
    /// the pod: then it stays closed.
    pub(crate) fn enrol_new(&self, spec: PodSpec, netns: Netns) -> Result<(Pod, EnrolledPod)> {
        let netns = Arc::new(netns);
        let (fresh, new_listeners) = mpsc::unbounded_channel();
        let mut pod = in_pod(&netns, || self.prepare(spec, Arc::clone(&netns), fresh))??;
        let adopted = pod.program.adopted();
        let enrolled = self.converge(&mut pod).and_then(|done| {
            tracing::debug!(pod = pod.spec.uid, ?done, "enrolment steps");
            pod.hand_out(drop_sent(new_listeners))
                .map_err(DatapathError::system("duplicate the pod's listeners"))
        });
        match enrolled {
            Ok(enrolled) => Ok((pod, enrolled)),
            Err(error) => {
                if !adopted {
                    self.take_back(pod);
                }
                Err(error)
            }
        }
    }

    /// Reads what there is, inside the namespace; changes nothing but the state file.
    fn prepare(
        &self,
        spec: PodSpec,
        netns: Arc<Netns>,
        fresh: mpsc::UnboundedSender<crate::PodListener>,
    ) -> Result<Pod> {
        let mut netlink =
            Netlink::new().map_err(DatapathError::system("open a netlink socket in the pod"))?;
        // Before the first look, so that no change falls between the two.
        let subscription =
            Subscription::new().map_err(DatapathError::system("subscribe to the pod's address changes"))?;
        let snapshot = netlink.snapshot().map_err(DatapathError::system("list the pod's addresses"))?;
        let own = snapshot.own();
        if !spec.addresses.iter().any(|ip| own.contains(&ip.to_canonical())) {
            let found = own.into_iter().collect();
            return Err(DatapathError::NoDeclaredAddress {
                uid: spec.uid,
                path: spec.netns,
                declared: spec.addresses,
                found,
            });
        }
        let known = self.states.load(netns.cookie())?;
        let port =
            listener::find_port(known.as_ref().map(|state| state.port), netns.cookie().wrapping_mul(SPREAD))?;
        let sysctls = known.map(|state| state.sysctls).unwrap_or_default();
        let state =
            State { uid: spec.uid.clone(), netns: spec.netns.clone(), cookie: netns.cookie(), port, sysctls };
        self.states.store(&state)?;
        let program = self.pod_programs.load(&pin_name(netns.cookie()), std::os::fd::AsFd::as_fd(&*netns))?;
        let numbers = adopt_numbers(&program.interfaces()?);
        let listeners = self.adopt_listeners(&state, &snapshot, &numbers);
        Ok(Pod {
            sockets: Arc::new(PodSockets::new(Arc::clone(&netns), Arc::clone(&self.home))),
            numbers,
            spec,
            netns,
            state,
            netlink,
            subscription,
            program,
            snapshot,
            listeners,
            fresh,
            probes: BTreeSet::new(),
            phase: Phase::Captured,
            loopback_v6: true,
            trouble: None,
        })
    }
}

/// The listeners that enrolment itself made are in the channel and in [`EnrolledPod::listeners`]; keep them in the latter only.
fn drop_sent(
    mut new_listeners: mpsc::UnboundedReceiver<crate::PodListener>,
) -> mpsc::UnboundedReceiver<crate::PodListener> {
    while new_listeners.try_recv().is_ok() {}
    new_listeners
}

/// Cookies are consecutive; a large odd factor spreads their ports over the range.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
