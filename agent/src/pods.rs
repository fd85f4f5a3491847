//! Keeps the set of captured pods equal to what discovery says runs on this node: enrolment is a state
//! that is compared, not an event that happened once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};
use weir_datapath::{Datapath, DatapathError, EnrolledPod, Leave, PodSpec};
use weir_datapath::{ListenerKind, PodListener};
use weir_discovery::{LocalWorkload, Update};
use weir_identity::Certificates;
use weir_model::Identity;
use weir_tunnel::{LocalPod, Shared, Workers};

use crate::network::CapturedPod;

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
        Self { datapath, certificates, shared, workers, enrolled, identities, lost, view }
    }

    /// Follows discovery until it ends; pods that could not be enrolled are tried again meanwhile.
    pub(crate) async fn follow(mut self, mut updates: watch::Receiver<Update>) {
        // Until discovery has spoken once, what an earlier agent captured stays captured, and closed.
        let mut going = updates.changed().await.is_ok();
        let mut leftovers = true;
        while going {
            let wanted = updates.borrow_and_update().local.clone();
            let complete = self.apply(&wanted).await;
            if leftovers {
                self.release_unclaimed(&wanted).await;
                leftovers = !complete;
            }
            self.view.synced.store(true, Ordering::Release);
            tokio::select! {
                Some(pod) = self.lost.1.recv() => self.forget_lost(&pod),
                () = tokio::time::sleep(RETRY), if !complete => {}
                changed = updates.changed() => going = changed.is_ok(),
            }
        }
    }

    /// Opens what an earlier agent captured and nobody wants any more. What is wanted and could not be enrolled stays closed.
    async fn release_unclaimed(&self, wanted: &[LocalWorkload]) {
        let datapath = self.datapath.clone();
        let wanted: Vec<String> = wanted.iter().map(|local| local.workload.uid.to_string()).collect();
        let released = tokio::task::spawn_blocking(move || datapath.release_unclaimed(&wanted)).await;
        for line in released.unwrap_or_default() {
            tracing::info!("left by an earlier agent and not wanted any more: {line}");
        }
    }

    /// Makes the node's pods those of `wanted`; false if some are not as they should be.
    async fn apply(&mut self, wanted: &[LocalWorkload]) -> bool {
        let leaving: Vec<_> = self
            .enrolled
            .iter()
            .filter(|(_, member)| !wanted.iter().any(|local| same_place(local, &member.local)))
            .map(|(uid, _)| uid.clone())
            .collect();
        self.unenrol(&leaving).await;
        self.follow_identities(wanted).await;
        let mut refused = Vec::new();
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

    /// Has a certificate of every identity before the first connection needs it, and no renewal of one that nobody has.
    /// Without one the pod is captured all the same and its traffic refused: speaking plainly instead is never the answer.
    async fn follow_identities(&mut self, wanted: &[LocalWorkload]) {
        // A path that is not there needs no certificate: the pod is not up yet, or deleted and still in the file.
        let there = wanted.iter().filter(|local| {
            self.enrolled.contains_key(&local.workload.uid) || std::fs::metadata(&local.netns).is_ok()
        });
        let needed: BTreeSet<Identity> = there.map(|local| local.workload.identity()).collect();
        for identity in self.identities.difference(&needed) {
            self.certificates.forget(identity);
        }
        // All at once: an authority that does not answer holds up the first enrolment, not each.
        join_all(needed.difference(&self.identities).map(|identity| prefetch(&self.certificates, identity)))
            .await;
        self.identities = needed;
    }

    async fn enrol(&mut self, local: &LocalWorkload) -> Result<(), String> {
        let workload = &local.workload;
        if let Err(error) = std::fs::metadata(&local.netns) {
            return Err(format!("its network namespace {} is not there: {error}", local.netns.display()));
        }
        let (datapath, spec) = (self.datapath.clone(), spec(local));
        let enrolled = tokio::task::spawn_blocking(move || datapath.enrol(spec)).await;
        let EnrolledPod { netns_cookie, listeners, sockets, mut new_listeners, .. } = match enrolled {
            Ok(Ok(enrolled)) => enrolled,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(panic) => return Err(format!("enrolment panicked: {panic}")),
        };
        let pod = LocalPod::new(workload.uid.clone(), Arc::new(CapturedPod(sockets)));
        self.shared.pods.insert(pod.clone());
        for listener in listeners {
            serve(&self.workers, &pod, listener);
        }
        let (workers, later, lost) = (self.workers.clone(), pod.clone(), self.lost.0.clone());
        tokio::spawn(async move {
            while let Some(listener) = new_listeners.recv().await {
                serve(&workers, &later, listener);
            }
            let _ = lost.send(later);
        });
        tracing::info!(pod = %workload.uid, identity = %workload.identity(), netns = %local.netns.display(), "enrolled");
        let member = Member { local: local.clone(), pod, netns_cookie };
        self.enrolled.insert(workload.uid.clone(), member);
        Ok(())
    }

    /// Takes over what may change while a pod stays where it is. It is captured all the while: a pod that was let go and
    /// taken in again would speak in plaintext between the two.
    async fn update(&mut self, local: &LocalWorkload) -> Result<(), String> {
        let Some(member) = self.enrolled.get_mut(&local.workload.uid) else { return Ok(()) };
        let spec = spec(local);
        if spec != self::spec(&member.local) {
            let datapath = self.datapath.clone();
            match tokio::task::spawn_blocking(move || datapath.update(spec)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(error.to_string()),
                Err(panic) => return Err(format!("the update panicked: {panic}")),
            }
        }
        member.local = local.clone();
        Ok(())
    }

    /// In this order no segment of an open connection can leave in plaintext: the kernel stops handing over
    /// new connections, the open ones are reset, and only then the rules that hold them go. Each step for all pods
    /// before the next, because connections that were on their way get a moment between the first and the last.
    async fn unenrol(&mut self, uids: &[Arc<str>]) {
        let mut leaving = Vec::new();
        for uid in uids {
            let Some(member) = self.enrolled.remove(uid) else { continue };
            self.in_datapath(uid, |datapath, uid| datapath.stop_capture(uid)).await;
            self.shared.pods.remove(uid);
            member.pod.abort();
            leaving.push(member.pod);
        }
        for pod in leaving {
            pod.closed().await;
            self.in_datapath(pod.uid(), |datapath, uid| datapath.finish(uid, Leave::Open)).await;
            tracing::info!(pod = %pod.uid(), "un-enrolled");
        }
    }

    /// One step of an un-enrolment; one that fails does not keep the others from being done.
    async fn in_datapath(
        &self,
        uid: &Arc<str>,
        step: impl FnOnce(&Datapath, &str) -> Result<(), DatapathError> + Send + 'static,
    ) {
        let (datapath, name) = (self.datapath.clone(), uid.clone());
        match tokio::task::spawn_blocking(move || step(&datapath, &name)).await {
            // Deleted meanwhile: the data path has let it go by itself.
            Ok(Ok(()) | Err(DatapathError::NoSuchPod { .. })) => {}
            Ok(Err(error)) => tracing::warn!(pod = %uid, "un-enrolment left something behind: {error}"),
            Err(panic) => tracing::error!(pod = %uid, "un-enrolment panicked: {panic}"),
        }
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

async fn prefetch(certificates: &Arc<Certificates>, identity: &Identity) {
    match tokio::time::timeout(FIRST_CERTIFICATE, certificates.fetch(identity)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%identity, "no certificate yet, its traffic is refused: {error}"),
        Err(_) => {
            tracing::warn!(%identity, "no certificate after {FIRST_CERTIFICATE:?}, its traffic is refused until there is one")
        }
    }
}

/// Gives a listener to the worker that the kernel picks it for.
fn serve(workers: &Workers, pod: &Arc<LocalPod>, listener: PodListener) {
    let kind = match listener.kind {
        ListenerKind::Outbound => weir_tunnel::ListenerKind::Outbound,
        ListenerKind::Plaintext => weir_tunnel::ListenerKind::Plaintext,
        ListenerKind::Hbone => weir_tunnel::ListenerKind::Hbone,
    };
    workers.serve(listener.worker, pod.clone(), kind, listener.socket);
}

/// What the data path is to know of a pod.
fn spec(local: &LocalWorkload) -> PodSpec {
    PodSpec {
        uid: local.workload.uid.to_string(),
        netns: local.netns.clone(),
        addresses: local.workload.addresses.clone(),
        probe_ports: local.probe_ports.clone(),
    }
}

/// A pod whose namespace changed is let go and taken in again.
fn same_place(a: &LocalWorkload, b: &LocalWorkload) -> bool {
    a.workload.uid == b.workload.uid && a.netns == b.netns
}

/// A pod that could not be enrolled is tried again after this.
const RETRY: Duration = Duration::from_secs(2);
/// Enrolment waits so long for an identity's first certificate.
const FIRST_CERTIFICATE: Duration = Duration::from_secs(5);
