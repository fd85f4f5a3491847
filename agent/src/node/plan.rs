//! What is to be done for the pods of the node. A function of what is wanted, where pods are and what is captured.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use weir_discovery::{LocalWorkload, NodePod, Update, Wish};
use weir_model::{Directory, Workload};

use super::Place;

/// What is to be done.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Those that are to be captured, or still are.
    pub(crate) wanted: Vec<LocalWorkload>,
    /// Those that should be and cannot be: why.
    pub(crate) impossible: Vec<(Arc<str>, String)>,
    /// All of the node.
    pub(crate) stances: Vec<Stance>,
}

/// How one pod stands to the mesh before the plan is followed.
#[derive(Debug)]
pub(crate) struct Stance {
    pub(crate) pod: Arc<NodePod>,
    /// Its uid in the mesh.
    pub(crate) uid: Arc<str>,
    pub(crate) netns: Option<PathBuf>,
    pub(crate) part: Part,
}

/// What becomes of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// It is to be captured.
    Wanted,
    /// It is to be captured when it is there.
    Awaited,
    /// Nobody wants it to be, but others are still told to use the tunnel: it stays captured until they are not.
    Leaving,
    /// Nobody wants it to be.
    Left,
    /// It was asked for and cannot be.
    Refused(String, String),
}

impl Plan {
    /// Of a node whose pods discovery names: nothing else is known of them.
    pub(crate) fn named(update: &Update) -> Self {
        Self { wanted: update.local.clone(), impossible: update.refused.clone(), stances: Vec::new() }
    }

    /// uids in the mesh of those that must not be opened, whoever captured them.
    pub(crate) fn claimed(&self) -> Vec<String> {
        let held = |stance: &&Stance| match stance.part {
            Part::Wanted | Part::Awaited | Part::Leaving => true,
            // Let go by an agent that did not live to see others give up the tunnel.
            Part::Left | Part::Refused(..) => stance.pod.announced,
        };
        let stances = self.stances.iter().filter(held).map(|stance| &stance.uid);
        let wanted = self.wanted.iter().map(|local| &local.workload.uid);
        let impossible = self.impossible.iter().map(|(uid, _)| uid);
        let all: BTreeSet<String> =
            stances.chain(wanted).chain(impossible).map(ToString::to_string).collect();
        all.into_iter().collect()
    }

    /// Whether others use the tunnel towards no pod that is to be opened.
    pub(crate) fn is_settled(&self) -> bool {
        let left = |stance: &Stance| matches!(stance.part, Part::Left | Part::Refused(..));
        !self.stances.iter().any(|stance| left(stance) && stance.pod.announced)
    }
}

/// Where a pod is.
#[derive(Debug, Clone)]
pub(crate) enum Where {
    /// In this namespace.
    At(Place),
    /// Its sandbox was taken away.
    Nowhere,
    /// Nobody said.
    Unknown,
}

/// Whether somebody wants the pod to be captured.
pub(super) fn is_wanted(pod: &NodePod) -> bool {
    pod.wish == Wish::Enrol
}

/// What is to be done for these pods of a cluster.
pub(crate) fn plan(
    pods: &[Arc<NodePod>],
    cluster: &str,
    directory: &Directory,
    place: impl Fn(&NodePod) -> Where,
    is_captured: impl Fn(&str) -> bool,
) -> Plan {
    let mut plan = Plan::default();
    for pod in pods {
        let uid: Arc<str> = format!("{cluster}//Pod/{}/{}", pod.namespace, pod.name).into();
        let place = place(pod);
        // What an agent of an earlier life captured is not captured by us, and is let go as nobody's.
        let leaves = is_captured(&uid) && pod.announced;
        let part = match &pod.wish {
            Wish::Enrol => Part::Wanted,
            Wish::Leave | Wish::Refuse { .. } if leaves => Part::Leaving,
            Wish::Leave => Part::Left,
            Wish::Refuse { reason, message } => Part::Refused(reason.clone(), message.clone()),
        };
        let netns = match &place {
            Where::At(place) => Some(place.netns.clone()),
            Where::Nowhere | Where::Unknown => None,
        };
        let part = match part {
            Part::Wanted | Part::Leaving => match local(pod, &uid, place, directory) {
                Ok(local) => {
                    plan.wanted.push(local);
                    part
                }
                Err(None) => Part::Awaited,
                Err(Some(why)) => {
                    plan.impossible.push((uid.clone(), why));
                    part
                }
            },
            part => part,
        };
        plan.stances.push(Stance { pod: pod.clone(), uid, netns, part });
    }
    plan.refuse_shared();
    plan
}

/// The pod as it is captured; or what is missing, if that is worth a word.
fn local(
    pod: &NodePod,
    uid: &str,
    place: Where,
    directory: &Directory,
) -> Result<LocalWorkload, Option<String>> {
    let Where::At(place) = place else {
        let is_missed = matches!(place, Where::Unknown) && !pod.addresses.is_empty();
        return Err(is_missed.then(|| {
            "its network namespace is not known: the CNI plugin did not say it, and no process was found in a cgroup of the \
             pod outside the node's own namespace"
                .to_owned()
        }));
    };
    let known = directory.workload(uid).cloned();
    let known = known.or_else(|| pod.workload.clone().map(Arc::new));
    let workload = known.ok_or_else(|| Some("the mesh does not know its workload".to_owned()))?;
    let addresses =
        [&pod.addresses, &workload.addresses, &place.addresses].into_iter().find(|list| !list.is_empty());
    let workload = match addresses {
        Some(addresses) if *addresses != workload.addresses => {
            Arc::new(Workload { addresses: addresses.clone(), ..Workload::clone(&workload) })
        }
        _ => workload,
    };
    Ok(LocalWorkload { workload, netns: place.netns, probe_ports: pod.probe_ports.clone() })
}

impl Plan {
    /// Of two pods in one namespace nobody can tell whose traffic it is.
    fn refuse_shared(&mut self) {
        let mut claims: HashMap<PathBuf, usize> = HashMap::new();
        for local in &self.wanted {
            *claims.entry(local.netns.clone()).or_default() += 1;
        }
        let is_shared = |local: &mut LocalWorkload| claims.get(&local.netns).is_some_and(|count| *count > 1);
        for local in self.wanted.extract_if(.., is_shared) {
            let why = format!("another pod has the same network namespace {}", local.netns.display());
            self.impossible.push((local.workload.uid.clone(), why));
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
