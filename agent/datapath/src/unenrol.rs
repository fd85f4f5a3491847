//! The way out: un-enrol in phases, release of deleted pods, and the end of the data path.
//!
//! Leaving open is the dangerous direction: a captured connection that is still there when the rules go would continue in plaintext. So
//! capture stops first, the agent aborts its connections, and only then rules, routes and sysctls go; the guard rule is the last.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::converge::families;
use crate::datapath::{Admission, Datapath, Node, in_pod, lock};
use crate::error::{DatapathError, Result};
use crate::listener;
use crate::netlink::{Netlink, Rule, RuleKind};
use crate::pod::{Phase, Pod};
use crate::sockdiag;
use crate::state::State;
use crate::sysctl;

/// How a pod is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// As if Weir had never been there: traffic flows directly.
    Open,
    /// Captured with nobody serving: new connections are dropped until an agent enrols the pod again.
    Closed,
}

impl Datapath {
    /// First phase of an un-enrolment: nothing new is captured from here on. The listeners still take SYNs that are under way.
    ///
    /// The agent then drains as long as it likes and aborts (RST) what is left of the pod's connections, and calls [`Datapath::finish`].
    pub fn stop_capture(&self, uid: &str) -> Result<()> {
        let pod = self.node().pod(uid)?;
        let mut pod = lock(&pod);
        self.node().stop(&mut pod)
    }

    /// Last phase: listeners end (200 ms after [`Datapath::stop_capture`] at the earliest), captured connections that are still open are
    /// destroyed, rules, routes, sysctls, pins and state go. With [`Leave::Closed`] only the listeners end.
    pub fn finish(&self, uid: &str, leave: Leave) -> Result<()> {
        let pod = self.node().pod(uid)?;
        self.node().wait_for_syns(&pod);
        let _nobody_enrols = lock(&self.node().enrolling);
        // Taken out first: no reconcile may repair what is being removed.
        self.node().pods().remove(uid);
        let mut pod = lock(&pod);
        match leave {
            Leave::Open => {
                self.node().stop(&mut pod)?;
                self.node().dismantle(&mut pod)
            }
            Leave::Closed => {
                // With a holder the next agent takes over the sockets and what queues in them meanwhile.
                if self.node().holder.is_none() {
                    pod.end_listeners();
                }
                pod.let_go();
                Ok(())
            }
        }
    }

    /// Both phases at once, for callers that have no connections to care for.
    pub fn unenrol(&self, uid: &str, leave: Leave) -> Result<()> {
        if leave == Leave::Open {
            self.stop_capture(uid)?;
        }
        self.finish(uid, leave)
    }

    /// Removes what an earlier agent left for pods that are neither enrolled now nor `wanted` (uids that could not be enrolled yet: they
    /// stay closed). Call it once the first list of pods is known: until then all such pods stay closed. Returns a line for each.
    pub fn release_unclaimed(&self, wanted: &[String]) -> Vec<String> {
        self.node().release_unclaimed(wanted)
    }

    /// From here on another agent may start on this node and take the pods over as they are, while this one ends the connections that it
    /// carries. All that is left to do here is [`Datapath::shutdown`] with [`Leave::Closed`]; a [`Datapath::reconcile`] that is under
    /// way must have ended. Where no holder has the listeners, connections are refused until the other agent is there: what queued
    /// here would wait for the end of this one.
    pub fn hand_over(&self) {
        *lock(&self.node().enrolling) = Admission::Over;
        self.watcher().stop();
        if self.node().holder.is_none() {
            self.node().all_pods().iter().for_each(|pod| lock(pod).end_listeners());
        }
        drop(lock(&self.node().alone).take());
    }

    /// Lets all pods go and, when leaving open, removes everything from the kernel. The watcher's thread ends. All is tried; the first
    /// error is returned. An enrolment that is under way ends first, and none begins any more.
    pub fn shutdown(&self, leave: Leave) -> Result<()> {
        *lock(&self.node().enrolling) = Admission::Over;
        self.watcher().stop();
        let uids: Vec<String> = self.node().pods().keys().cloned().collect();
        let mut result = Ok(());
        if leave == Leave::Open {
            for uid in &uids {
                result = result.and(self.stop_capture(uid));
            }
        }
        for uid in &uids {
            result = result.and(self.finish(uid, leave));
        }
        if leave == Leave::Open {
            self.release_unclaimed(&[]);
            result = result.and(self.node().programs.detach_all().map_err(DatapathError::from));
            self.node().states.remove_if_empty();
        }
        result
    }
}

impl Node {
    /// The cookie first, then the link: no new connection is marked for a program that is not there. Each step may be done already: what
    /// failed in an earlier try is done in the next.
    pub(crate) fn stop(&self, pod: &mut Pod) -> Result<()> {
        self.programs.unenrol(pod.netns.cookie())?;
        if pod.phase == Phase::Captured {
            pod.phase = Phase::Stopped(Instant::now());
        }
        pod.program.detach_and_unpin()?;
        for (ip, port) in std::mem::take(&mut pod.probes) {
            self.programs.probe_port_remove(ip, port)?;
        }
        Ok(())
    }

    fn wait_for_syns(&self, pod: &Mutex<Pod>) {
        let Phase::Stopped(since) = lock(pod).phase else {
            return;
        };
        std::thread::sleep(SYNS_IN_FLIGHT.saturating_sub(since.elapsed()));
    }

    /// Everything of a stopped pod that is left; all steps are tried, the first error is returned.
    fn dismantle(&self, pod: &mut Pod) -> Result<()> {
        pod.end_listeners();
        pod.let_go();
        self.forget_held(pod.netns.cookie());
        let netns = std::sync::Arc::clone(&pod.netns);
        let cleaned =
            in_pod(&netns, || clean_namespace(&pod.state, &mut pod.netlink)).and_then(|result| result);
        let forgotten = self.programs.own_clear(netns.cookie()).map_err(DatapathError::from);
        cleaned.and(forgotten).and_then(|()| self.states.remove(netns.cookie()))
    }

    /// Undoes a failed enrolment.
    pub(crate) fn take_back(&self, mut pod: Pod) {
        let undone = self.stop(&mut pod).and_then(|()| self.dismantle(&mut pod));
        if let Err(error) = undone {
            tracing::warn!(pod = pod.spec.uid, %error, "could not take back all of a failed enrolment");
        }
    }

    pub(crate) fn forget_held(&self, cookie: u64) {
        if let Some(holder) = &self.holder {
            holder.forget(cookie, Vec::new());
        }
    }
}

impl Pod {
    /// Ends the listeners for everybody who has a duplicate.
    pub(crate) fn end_listeners(&mut self) {
        for held in &self.listeners {
            listener::end(&held.socket);
        }
    }

    /// Drops what this process holds open in the namespace, and ends the agent's channel. Nobody repairs the pod any more, not even a
    /// watcher that has been waiting for its lock.
    pub(crate) fn let_go(&mut self) {
        if self.phase == Phase::Captured {
            self.phase = Phase::Stopped(Instant::now());
        }
        self.listeners.clear();
        self.sockets.release();
        self.fresh = tokio::sync::mpsc::unbounded_channel().0;
    }
}

/// Takes rules, routes and sysctls out of the calling thread's namespace. If captured connections cannot be destroyed the guard rule
/// stays, because without it they would go on in plaintext.
pub(crate) fn clean_namespace(state: &State, netlink: &mut Netlink) -> Result<()> {
    let survivors = sockdiag::destroy_marked();
    for family in families() {
        netlink
            .remove_rule(Rule { family, kind: RuleKind::Capture })
            .map_err(DatapathError::system("remove the capture rule"))?;
        for route in netlink.routes(family).map_err(DatapathError::system("list the pod's routes"))? {
            netlink.remove_route(&route).map_err(DatapathError::system("remove a route of the pod"))?;
        }
    }
    match survivors {
        Ok(0) => {
            for family in families() {
                netlink
                    .remove_rule(Rule { family, kind: RuleKind::Guard })
                    .map_err(DatapathError::system("remove the guard rule"))?;
            }
        }
        Ok(count) => tracing::warn!(
            pod = state.uid,
            count,
            "captured connections are still open: the guard rule stays, so that they end"
        ),
        Err(error) => {
            tracing::warn!(pod = state.uid, %error, "cannot tell whether captured connections are still open: the guard rule stays");
        }
    }
    sysctl::restore(&state.sysctls)
}

/// SYNs that were routed to the agent before capture stopped still find a listener for this long.
const SYNS_IN_FLIGHT: Duration = Duration::from_millis(200);
