//! How the pods of the node stand after a plan was followed: for the runtime that waits, and for the controller.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_discovery::node_reports::{NodeReport, PodReport, PodState};

use super::plan::{Part, Plan};

/// All pods that the controller told of, by the uid that the node knows.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    pods: HashMap<Arc<str>, Entry>,
    by_name: HashMap<(Arc<str>, Arc<str>), Arc<str>>,
}

#[derive(Debug)]
struct Entry {
    namespace: Arc<str>,
    name: Arc<str>,
    uid: Arc<str>,
    /// It says something of itself that only we may have said.
    says_something: bool,
    netns: Option<PathBuf>,
    state: State,
}

/// How one pod stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// It is captured.
    Captured,
    /// It is captured, and will not be.
    Leaving,
    /// It is not captured, and need not be.
    Left,
    /// It is to be, and its namespace is not known yet.
    Awaited,
    /// It cannot be: one word and a sentence. The controller knew.
    Refused(String, String),
    /// It could not be taken in: why.
    Failed(String),
}

impl Standing {
    pub(super) fn of(plan: &Plan, is_captured: impl Fn(&str) -> bool, failed: &[(Arc<str>, String)]) -> Self {
        let mut standing = Self::default();
        for stance in &plan.stances {
            let why = failed.iter().find(|(uid, _)| *uid == stance.uid).map(|(_, why)| why.clone());
            let state = match &stance.part {
                // One that is captured as before, and could not be changed, is captured.
                Part::Wanted if is_captured(&stance.uid) => State::Captured,
                Part::Wanted => State::Failed(why.unwrap_or_else(|| "it is not captured".to_owned())),
                Part::Awaited => State::Awaited,
                Part::Leaving => State::Leaving,
                Part::Left => State::Left,
                Part::Refused(reason, message) => State::Refused(reason.clone(), message.clone()),
            };
            let pod = &stance.pod;
            standing.by_name.insert((pod.namespace.clone(), pod.name.clone()), pod.node_uid.clone());
            let entry = Entry {
                namespace: pod.namespace.clone(),
                name: pod.name.clone(),
                uid: pod.uid.clone(),
                says_something: pod.announced || pod.captured.is_some(),
                netns: stance.netns.clone(),
                state,
            };
            standing.pods.insert(pod.node_uid.clone(), entry);
        }
        standing
    }

    /// How a pod stands whose sandbox is in this namespace now; `None`: nothing is known of it. What was so of another
    /// sandbox of the same pod does not count.
    pub(crate) fn look_up(&self, uid: &str, namespace: &str, name: &str, netns: &Path) -> Option<State> {
        let by_name = || self.by_name.get(&(namespace.into(), name.into()));
        let entry = match uid {
            "" => self.pods.get(by_name()?)?,
            uid => self.pods.get(uid)?,
        };
        match &entry.state {
            State::Captured | State::Failed(_) if entry.netns.as_deref() != Some(netns) => {
                Some(State::Awaited)
            }
            state => Some(state.clone()),
        }
    }

    /// What is said of it, after what was said before.
    pub(super) fn report(&self, before: &NodeReport) -> NodeReport {
        let mut report = NodeReport { ready: true, ..NodeReport::default() };
        for entry in self.pods.values() {
            let key = (entry.namespace.clone(), entry.name.clone());
            let was = before.pods.get(&key).filter(|was| was.uid == entry.uid);
            let (state, reason, message) = match &entry.state {
                State::Captured => (PodState::Captured, "Captured", String::new()),
                State::Leaving => {
                    (PodState::Leaving, "Leaving", "others are told not to use the tunnel any more".into())
                }
                State::Refused(reason, message) => (PodState::Refused, known(reason), message.clone()),
                State::Failed(why) => (PodState::Failed, "Failed", why.clone()),
                // Of a pod that never was in the mesh nothing is said. It is said again as long as it was said once.
                State::Left if was.is_some() || entry.says_something => {
                    (PodState::Removed, "", String::new())
                }
                // A sandbox that comes again: what it says was so of the one before, until it is captured or fails.
                State::Left | State::Awaited => continue,
            };
            report.pods.insert(key, PodReport { uid: entry.uid.clone(), state, reason, message });
        }
        report
    }
}

/// Reasons are words of the controller's; the report's are our own texts.
fn known(reason: &str) -> &'static str {
    const KNOWN: [&str; 4] = ["HostNetwork", "Sidecar", "RuntimeClass", "ExcludedNamespace"];
    KNOWN.into_iter().find(|known| *known == reason).unwrap_or("Refused")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use weir_discovery::{NodePod, Wish};

    use super::super::plan::Stance;
    use super::*;

    fn stance(part: Part, netns: Option<&str>, announced: bool) -> Plan {
        let pod = NodePod {
            namespace: "shop".into(),
            name: "web".into(),
            uid: "u1".into(),
            node_uid: "n1".into(),
            service_account: "sa".into(),
            addresses: Vec::new(),
            wish: Wish::Enrol,
            probe_ports: Vec::new(),
            workload: None,
            announced,
            captured: None,
        };
        let stance =
            Stance { pod: Arc::new(pod), uid: "c//Pod/shop/web".into(), netns: netns.map(Into::into), part };
        Plan { stances: vec![stance], ..Plan::default() }
    }

    fn said(standing: &Standing, before: &NodeReport) -> Option<(PodState, &'static str)> {
        standing.report(before).pods.values().next().map(|report| (report.state, report.reason))
    }

    #[rstest]
    #[case::captured(Part::Wanted, true, false, Some((PodState::Captured, "Captured")))]
    #[case::failed(Part::Wanted, false, false, Some((PodState::Failed, "Failed")))]
    #[case::not_there_yet(Part::Awaited, false, false, None)]
    #[case::leaving(Part::Leaving, true, true, Some((PodState::Leaving, "Leaving")))]
    #[case::never_in(Part::Left, false, false, None)]
    #[case::left_behind_by_somebody(Part::Left, false, true, Some((PodState::Removed, "")))]
    #[case::refused(Part::Refused("HostNetwork".into(), "m".into()), false, false, Some((PodState::Refused, "HostNetwork")))]
    fn what_is_said(
        #[case] part: Part,
        #[case] is_captured: bool,
        #[case] announced: bool,
        #[case] expected: Option<(PodState, &'static str)>,
    ) {
        let standing = Standing::of(&stance(part, Some("/n"), announced), |_| is_captured, &[]);
        assert_eq!(said(&standing, &NodeReport::default()), expected);
    }

    #[test]
    fn who_was_spoken_of_is_spoken_of_until_the_end() {
        let standing = Standing::of(&stance(Part::Wanted, Some("/n"), false), |_| true, &[]);
        let before = standing.report(&NodeReport::default());
        let left = Standing::of(&stance(Part::Left, Some("/n"), false), |_| false, &[]);
        assert_eq!(said(&left, &before), Some((PodState::Removed, "")));
    }

    #[rstest]
    #[case::by_uid("n1", "/n", Some(State::Captured))]
    #[case::by_name("", "/n", Some(State::Captured))]
    #[case::another_sandbox("n1", "/other", Some(State::Awaited))]
    #[case::another_pod_of_the_name("n2", "/n", None)]
    fn a_runtime_is_told_of_its_own_sandbox(
        #[case] uid: &str,
        #[case] netns: &str,
        #[case] state: Option<State>,
    ) {
        let standing = Standing::of(&stance(Part::Wanted, Some("/n"), false), |_| true, &[]);
        assert_eq!(standing.look_up(uid, "shop", "web", Path::new(netns)), state);
    }
}
