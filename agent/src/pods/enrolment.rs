//! How one pod is taken in, changed in place, and let go.

use std::sync::Arc;

use weir_datapath::{Datapath, DatapathError, EnrolledPod, Leave, ListenerKind, PodListener, PodSpec};
use weir_discovery::LocalWorkload;
use weir_tunnel::{LocalPod, Workers};

use super::{Member, Pods};
use crate::network::CapturedPod;

impl Pods {
    pub(super) async fn enrol(&mut self, local: &LocalWorkload) -> Result<(), String> {
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
    pub(super) async fn update(&mut self, local: &LocalWorkload) -> Result<(), String> {
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
    pub(super) async fn unenrol(&mut self, uids: &[Arc<str>]) {
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
