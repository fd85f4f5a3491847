//! Letting go of pods that are not there any more, and of what an earlier agent left.

use std::collections::BTreeSet;
use std::path::Path;

use crate::bpf;
use crate::datapath::{Node, in_pod, lock};
use crate::error::{DatapathError, Result};
use crate::netlink::Netlink;
use crate::netns::Netns;
use crate::pod::pin_name;
use crate::state::State;
use crate::unenrol::clean_namespace;

impl Node {
    /// Lets a deleted pod go at once: its namespace (and the veth in the node) lives until the last socket in it is closed.
    pub(crate) fn release(&self, uid: &str) {
        let Some(pod) = self.pods().remove(uid) else {
            return;
        };
        let mut pod = lock(&pod);
        let cookie = pod.netns.cookie();
        let stopped = self.stop(&mut pod);
        pod.end_listeners();
        pod.let_go();
        self.forget_held(cookie);
        let cleared = self.programs.own_clear(cookie).map_err(DatapathError::from);
        if let Err(error) = stopped.and(cleared).and_then(|()| self.states.remove(cookie)) {
            tracing::warn!(pod = uid, %error, "could not remove all of a deleted pod");
        }
        tracing::info!(pod = uid, netns = cookie, "pod released: its network namespace is gone");
    }

    /// See [`crate::Datapath::release_unclaimed`].
    pub(crate) fn release_unclaimed(&self, wanted: &[String]) -> Vec<String> {
        let _nobody_enrols = lock(&self.enrolling);
        let states = self.states.all();
        let still_wanted =
            states.iter().filter(|state| wanted.contains(&state.uid)).map(|state| state.cookie);
        let enrolled: Vec<u64> = self.all_pods().iter().map(|pod| lock(pod).netns.cookie()).collect();
        let claimed: BTreeSet<u64> = still_wanted.chain(enrolled).collect();
        let mut released = Vec::new();
        for state in states {
            if claimed.contains(&state.cookie) {
                continue;
            }
            match self.release_leftover(&state) {
                Ok(()) => released.push(format!("pod {} of an earlier agent", state.uid)),
                Err(error) => {
                    tracing::warn!(pod = state.uid, %error, "could not remove what an earlier agent left")
                }
            }
        }
        released.extend(
            self.remove_pins(|pinned| !claimed.iter().any(|cookie| pinned.name == pin_name(*cookie))),
        );
        for cookie in self.programs.enrolled().unwrap_or_default() {
            if !claimed.contains(&cookie) && self.programs.unenrol(cookie).is_ok() {
                released.push(format!("cookie {cookie}"));
            }
        }
        released
    }

    /// A pod that only the state file knows: its sockets died with the earlier agent.
    fn release_leftover(&self, state: &State) -> Result<()> {
        self.programs.unenrol(state.cookie)?;
        self.forget_held(state.cookie);
        bpf::remove_pinned_pod(&self.pin_root(), &pin_name(state.cookie))?;
        self.programs.own_clear(state.cookie)?;
        if let Some(netns) = open_if(&state.netns, state.cookie) {
            in_pod(&netns, || {
                let mut netlink =
                    Netlink::new().map_err(DatapathError::system("open a netlink socket in the pod"))?;
                clean_namespace(state, &mut netlink)
            })??;
        }
        self.states.remove(state.cookie)
    }

    /// Removes the pins of pods that `unwanted` says; a line for each.
    pub(crate) fn remove_pins(&self, unwanted: impl Fn(&bpf::PinnedPod) -> bool) -> Vec<String> {
        let root = self.pin_root();
        let pinned = bpf::list_pinned_pods(&root).unwrap_or_default();
        let removed = pinned
            .into_iter()
            .filter(|pod| unwanted(pod) && bpf::remove_pinned_pod(&root, &pod.name).is_ok());
        removed.map(|pod| format!("pins of {}", pod.name)).collect()
    }
}

/// The namespace at `path` if it is still the one with this cookie.
fn open_if(path: &Path, cookie: u64) -> Option<Netns> {
    Netns::open(path).ok().filter(|netns| netns.cookie() == cookie)
}
