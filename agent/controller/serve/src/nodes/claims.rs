//! What is said of pods by who may say it. No I/O, no clock.

use std::collections::HashMap;
use std::sync::Arc;

use weir_index::scoped;
use weir_proto::node::{self as proto, PodReport, State};

/// What a pod is to say of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid: one of the same name that came after it is another.
    pub uid: String,
    /// Others may reach it by tunnel (annotation `ambient.istio.io/redirection`).
    pub announced: bool,
    /// Its condition `weir.dev/Captured`; `None`: it has none.
    pub captured: Option<Captured>,
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// True or False.
    pub is: bool,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

/// What the agents say, by the name that their pods have in the picture: with the node before it, so that no agent can
/// speak of a pod of another node.
#[derive(Default)]
pub(crate) struct Claims {
    streams: HashMap<Arc<str>, u64>,
    issued: u64,
    pods: HashMap<Arc<str>, Claim>,
}

struct Claim {
    stream: u64,
    told: Told,
}

impl Claims {
    pub(crate) fn open(&mut self, node: &Arc<str>) -> u64 {
        self.issued += 1;
        if let Some(before) = self.streams.insert(node.clone(), self.issued) {
            self.pods.retain(|_, claim| claim.stream != before);
        }
        self.issued
    }

    pub(crate) fn close(&mut self, node: &Arc<str>, stream: u64) {
        if self.streams.get(node) == Some(&stream) {
            self.streams.remove(node);
            self.pods.retain(|_, claim| claim.stream != stream);
        }
    }

    /// Takes what a stream says. The names of the pods that it says it of.
    pub(crate) fn take(&mut self, node: &Arc<str>, stream: u64, reports: Vec<PodReport>) -> Vec<Arc<str>> {
        if self.streams.get(node) != Some(&stream) {
            return Vec::new();
        }
        let mut names = Vec::new();
        for report in reports {
            let name = scoped(node, &format!("{}/{}", report.namespace, report.name));
            if let Some(told) = told(report) {
                self.pods.insert(name.clone(), Claim { stream, told });
                names.push(name);
            }
        }
        names
    }

    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        self.pods.keys().cloned().collect()
    }

    /// What a pod is to be told, if it says something else now.
    pub(crate) fn difference(&self, name: &str, now: impl FnOnce() -> Option<proto::Pod>) -> Option<Told> {
        let told = &self.pods.get(name)?.told;
        let now = now().filter(|pod| pod.uid == told.uid)?;
        let captured =
            now.captured.map(|proto::Captured { is, reason, message }| Captured { is, reason, message });
        let is_so = now.announced == told.announced && captured == told.captured;
        (!is_so).then(|| told.clone())
    }
}

fn told(report: PodReport) -> Option<Told> {
    let state = report.state();
    let PodReport { namespace, name, uid, mut reason, mut message, .. } = report;
    let is = match state {
        State::Unknown => return None,
        State::Captured => Some(true),
        State::Removed => None,
        State::Leaving | State::Refused | State::Failed => Some(false),
    };
    if !is_reason(&reason) {
        reason = "Unknown".to_owned();
    }
    message.truncate(message.floor_char_boundary(LONGEST));
    let captured = is.map(|is| Captured { is, reason, message });
    Some(Told { namespace, name, uid, announced: state == State::Captured, captured })
}

/// What the API takes as the reason of a condition.
fn is_reason(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Of a message: the log of the node has the rest.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn report(state: State) -> PodReport {
        PodReport {
            namespace: "shop".into(),
            name: "web".into(),
            uid: "u1".into(),
            state: state.into(),
            reason: "Why".into(),
            message: "because".into(),
        }
    }

    fn pod(announced: bool, captured: Option<bool>) -> proto::Pod {
        let captured =
            captured.map(|is| proto::Captured { is, reason: "Why".into(), message: "because".into() });
        proto::Pod { uid: "u1".into(), announced, captured, ..proto::Pod::default() }
    }

    fn difference(claims: &Claims, pod: proto::Pod) -> Option<(bool, Option<bool>)> {
        let told = claims.difference("a/shop/web", || Some(pod))?;
        Some((told.announced, told.captured.map(|captured| captured.is)))
    }

    #[rstest]
    #[case::captured(State::Captured, (true, Some(true)))]
    #[case::about_to_leave(State::Leaving, (false, Some(false)))]
    #[case::left(State::Removed, (false, None))]
    #[case::refused(State::Refused, (false, Some(false)))]
    #[case::failed(State::Failed, (false, Some(false)))]
    fn a_pod_says_what_its_agent_says(#[case] state: State, #[case] wanted: (bool, Option<bool>)) {
        let (node, mut claims) = (Arc::<str>::from("a"), Claims::default());
        let stream = claims.open(&node);
        assert_eq!(claims.take(&node, stream, vec![report(state)]), ["a/shop/web".into()]);
        for announced in [false, true] {
            for captured in [None, Some(false), Some(true)] {
                let differs = ((announced, captured) != wanted).then_some(wanted);
                assert_eq!(difference(&claims, pod(announced, captured)), differs);
            }
        }
    }

    #[test]
    fn nobody_speaks_of_another_nodes_pod_or_of_one_that_came_after() {
        let (a, b, mut claims) = (Arc::<str>::from("a"), Arc::<str>::from("b"), Claims::default());
        let stream = claims.open(&b);
        assert_eq!(claims.take(&b, stream, vec![report(State::Captured)]), ["b/shop/web".into()]);
        assert_eq!(difference(&claims, pod(false, None)), None);
        assert!(claims.take(&a, stream, vec![report(State::Captured)]).is_empty(), "not its node");
        let stream = claims.open(&a);
        claims.take(&a, stream, vec![report(State::Captured)]);
        assert_eq!(difference(&claims, proto::Pod { uid: "u2".into(), ..pod(false, None) }), None);
        assert_eq!(difference(&claims, pod(false, None)), Some((true, Some(true))));
    }

    #[test]
    fn what_a_stream_said_is_void_when_it_ends_or_another_comes() {
        let (node, mut claims) = (Arc::<str>::from("a"), Claims::default());
        let old = claims.open(&node);
        claims.take(&node, old, vec![report(State::Captured)]);
        let new = claims.open(&node);
        assert!(claims.names().is_empty());
        assert!(claims.take(&node, old, vec![report(State::Captured)]).is_empty());
        claims.take(&node, new, vec![report(State::Captured)]);
        claims.close(&node, old);
        assert_eq!(claims.names().len(), 1);
        claims.close(&node, new);
        assert!(claims.names().is_empty());
    }

    #[rstest]
    #[case("Captured", "Captured")]
    #[case("", "Unknown")]
    #[case("not a word", "Unknown")]
    #[case("1st", "Unknown")]
    fn a_reason_is_one_word(#[case] given: &str, #[case] written: &str) {
        let report =
            PodReport { reason: given.into(), message: "é".repeat(LONGEST), ..report(State::Failed) };
        let captured = told(report).unwrap().captured.unwrap();
        assert_eq!((&*captured.reason, captured.message.len()), (written, LONGEST));
    }
}
