//! Keeps the set of captured pods equal to what discovery says runs on this node: enrolment is a state
//! that is compared, not an event that happened once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};
use weir_datapath::Datapath;
use weir_discovery::{LocalWorkload, Update};
use weir_identity::Certificates;
use weir_model::Identity;
use weir_tunnel::{LocalPod, Shared, Workers};

use crate::node::{Plan, Roster};

mod enrolment;
mod identities;

/// The node's pods and what is needed to take them in and let them go.
pub(crate) struct Pods {
    datapath: Arc<Datapath>,
    certificates: Arc<Certificates>,
    shared: Arc<Shared>,
    workers: Arc<Workers>,
    enrolled: HashMap<Arc<str>, Member>,
    /// Those that the pods need certificates of.
    identities: BTreeSet<Identity>,
    /// Pods that the data path let go by itself, because their namespace is gone.
    lost: (mpsc::UnboundedSender<Arc<LocalPod>>, mpsc::UnboundedReceiver<Arc<LocalPod>>),
    view: Arc<View>,
    /// On Kubernetes, who is wanted and where.
    roster: Option<Roster>,
}

/// What the endpoints may know about the pods.
#[derive(Default)]
pub(crate) struct View {
    /// Of those that are not as they should be, most of them because they could not be enrolled: why.
    pub(crate) refused: ArcSwap<Vec<(Arc<str>, String)>>,
    /// Which pod the kernel means by a namespace cookie.
    pub(crate) by_cookie: ArcSwap<HashMap<u64, Arc<str>>>,
    /// The first list of pods has been gone through. A pod that could not be enrolled is reported; it does not take the
    /// node's readiness from the others.
    pub(crate) synced: AtomicBool,
}

struct Member {
    local: LocalWorkload,
    pod: Arc<LocalPod>,
    netns_cookie: u64,
}

impl Pods {
    /// A node without pods.
    pub(crate) fn new(
        datapath: Arc<Datapath>,
        certificates: Arc<Certificates>,
        shared: Arc<Shared>,
        workers: Arc<Workers>,
        view: Arc<View>,
    ) -> Self {
        let lost = mpsc::unbounded_channel();
        let (enrolled, identities) = (HashMap::new(), BTreeSet::new());
        Self { datapath, certificates, shared, workers, enrolled, identities, lost, view, roster: None }
    }

    /// The pods are those that the control plane tells of.
    pub(crate) fn told(self, roster: Roster) -> Self {
        Self { roster: Some(roster), ..self }
    }

    /// Follows discovery until it ends; pods that could not be enrolled are tried again meanwhile.
    pub(crate) async fn follow(mut self, mut updates: watch::Receiver<Update>) {
        // Until discovery has spoken once, what an earlier agent captured stays captured, and closed.
        let mut going = updates.changed().await.is_ok();
        let mut leftovers = true;
        let mut moved = self.roster.as_ref().map(|roster| roster.places().changes());
        while going {
            let update = updates.borrow_and_update().clone();
            let plan = self.plan(&update).await;
            let claimed = plan.claimed();
            let complete = self.apply(&plan.wanted, plan.impossible.clone()).await;
            if leftovers {
                self.release_unclaimed(claimed).await;
                leftovers = !complete || !plan.is_settled();
            }
            if let Some(roster) = &self.roster {
                roster.settle(&plan, |uid| self.enrolled.contains_key(uid), &self.view.refused.load());
            }
            self.view.synced.store(true, Ordering::Release);
            tokio::select! {
                Some(pod) = self.lost.1.recv() => self.forget_lost(&pod),
                true = next(&mut moved) => {}
                () = tokio::time::sleep(RETRY), if !complete => {}
                changed = updates.changed() => going = changed.is_ok(),
            }
        }
    }

    /// What is to be done now.
    async fn plan(&mut self, update: &Update) -> Plan {
        let enrolled = &self.enrolled;
        match (&mut self.roster, &update.node_pods) {
            (Some(roster), Some(pods)) => {
                roster.plan(pods, &update.directory, |uid| enrolled.contains_key(uid)).await
            }
            _ => Plan::named(update),
        }
    }

    /// Opens what an earlier agent captured and nobody wants any more. What is wanted and could not be enrolled stays closed.
    async fn release_unclaimed(&self, claimed: Vec<String>) {
        let datapath = self.datapath.clone();
        let released = tokio::task::spawn_blocking(move || datapath.release_unclaimed(&claimed)).await;
        for line in released.unwrap_or_default() {
            tracing::info!("left by an earlier agent and not wanted any more: {line}");
        }
    }

    /// Makes the node's pods those of `wanted`; false if some are not as they should be. `impossible` are those of which
    /// discovery knows that they cannot be taken in.
    async fn apply(&mut self, wanted: &[LocalWorkload], impossible: Vec<(Arc<str>, String)>) -> bool {
        let leaving: Vec<_> = self
            .enrolled
            .iter()
            .filter(|(_, member)| !wanted.iter().any(|local| same_place(local, &member.local)))
            .map(|(uid, _)| uid.clone())
            .collect();
        self.unenrol(&leaving).await;
        self.follow_identities(wanted).await;
        let mut refused = impossible;
        for local in wanted {
            let done = match self.enrolled.contains_key(&local.workload.uid) {
                true => self.update(local).await,
                false => self.enrol(local).await,
            };
            if let Err(why) = done {
                refused.push((local.workload.uid.clone(), why));
            }
        }
        let complete = refused.is_empty();
        // Tried again every few seconds, but said only when it is news.
        for (pod, why) in refused.iter().filter(|refusal| !self.view.refused.load().contains(refusal)) {
            let what = if self.enrolled.contains_key(pod) { "captured as before" } else { "not enrolled" };
            tracing::warn!(%pod, "{what}: {why}");
        }
        self.view.refused.store(Arc::new(refused));
        self.publish_cookies();
        complete
    }

    /// A pod was deleted: every socket of ours keeps its namespace, and the veth in the node, alive.
    fn forget_lost(&mut self, pod: &Arc<LocalPod>) {
        // The channel of a pod that was un-enrolled or taken in again ends too; that pod is not lost.
        let ours = self.enrolled.get(pod.uid()).is_some_and(|member| Arc::ptr_eq(&member.pod, pod));
        if !ours {
            return;
        }
        self.shared.pods.remove(pod.uid());
        pod.abort();
        self.enrolled.remove(pod.uid());
        tracing::info!(pod = %pod.uid(), "its network namespace is gone");
    }

    fn publish_cookies(&self) {
        let cookies = self.enrolled.iter().map(|(uid, member)| (member.netns_cookie, uid.clone()));
        self.view.by_cookie.store(Arc::new(cookies.collect()));
    }
}

/// Waits for a change; never, where there is none to wait for.
async fn next(changes: &mut Option<watch::Receiver<u64>>) -> bool {
    match changes {
        Some(changes) => changes.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}

/// A pod whose namespace changed is let go and taken in again.
fn same_place(a: &LocalWorkload, b: &LocalWorkload) -> bool {
    a.workload.uid == b.workload.uid && a.netns == b.netns
}

/// A pod that could not be enrolled is tried again after this.
const RETRY: Duration = Duration::from_secs(2);
