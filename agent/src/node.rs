//! The pods of a Kubernetes node: who is wanted, where each is, how the container runtime asks, and what is said of them.
//!
//! ```text
//!   controller --NodePod--> [ plan ] <--where-- [ Places ] <-- [ cni ] <-- weir-cni, called by the runtime
//!                              |                    ^--------- [ find ]  procfs: at start, and where nobody told
//!                              v
//!                            Pods (enrol, let go) --> [ Standing ] --> runtime's answers, reports to the controller
//! ```

pub(crate) mod cgroups;
pub(crate) mod cni;
mod find;
pub(crate) mod install;
pub(crate) mod kubelet;
mod places;
mod plan;
mod standing;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;
use weir_discovery::NodePod;
use weir_discovery::node_reports::NodeReport;
use weir_model::Directory;

use plan::{Where, plan};

pub(crate) use places::{Place, Places};
pub(crate) use plan::Plan;
pub(crate) use standing::Standing;

/// What is kept of the node's pods between two looks at them.
pub(crate) struct Roster {
    cluster: Arc<str>,
    places: Arc<Places>,
    standing: watch::Sender<Arc<Standing>>,
    reports: watch::Sender<Arc<NodeReport>>,
    searched: bool,
}

/// Removes what agents keep in their directory beside the data path's own, and then the directory, which the kubelet made for them,
/// unless somebody else has something there: none comes after this one.
pub(crate) fn forget(runtime_dir: &Path) {
    let _ = std::fs::remove_dir_all(runtime_dir.join(PLACES));
    // In our own mount namespace something is mounted on it; in the node's it is a directory as any other.
    let on_node = Path::new("/proc/1/root").join(runtime_dir.strip_prefix("/").unwrap_or(runtime_dir));
    let _ = std::fs::remove_dir(on_node);
}

const PLACES: &str = "places";

impl Roster {
    /// A node of which nothing is known but what an earlier agent kept in the runtime directory.
    pub(crate) fn open(runtime_dir: &Path, cluster: &str) -> anyhow::Result<Self> {
        let places = Arc::new(Places::open(&runtime_dir.join(PLACES))?);
        let (standing, reports) = (watch::Sender::default(), watch::Sender::default());
        Ok(Self { cluster: cluster.into(), places, standing, reports, searched: false })
    }

    pub(crate) fn places(&self) -> &Arc<Places> {
        &self.places
    }

    pub(crate) fn standing(&self) -> watch::Receiver<Arc<Standing>> {
        self.standing.subscribe()
    }

    pub(crate) fn reports(&self) -> watch::Receiver<Arc<NodeReport>> {
        self.reports.subscribe()
    }

    /// What is to be done for these pods; those that nobody told the place of are looked for.
    pub(crate) async fn plan(
        &mut self,
        pods: &[Arc<NodePod>],
        directory: &Directory,
        is_captured: impl Fn(&str) -> bool,
    ) -> Plan {
        let first = !std::mem::replace(&mut self.searched, true);
        let lost = |pod: &&Arc<NodePod>| {
            // One without an address is about to come, and its runtime will say where.
            plan::is_wanted(pod)
                && (first || !pod.addresses.is_empty())
                && matches!(self.place(pod), Where::Unknown)
        };
        let lost: Vec<Arc<str>> = pods.iter().filter(lost).map(|pod| pod.node_uid.clone()).collect();
        if !lost.is_empty() {
            let found = tokio::task::spawn_blocking(move || find::find(&lost)).await.unwrap_or_default();
            for (uid, place) in found {
                tracing::info!(%uid, netns = %place.netns.display(), "a pod's network namespace was found by its processes");
                self.places.found(&uid, place);
            }
        }
        self.places.forget(pods);
        plan(pods, &self.cluster, directory, |pod| self.place(pod), is_captured)
    }

    fn place(&self, pod: &NodePod) -> Where {
        match self.places.of(pod) {
            Some(place) => Where::At(place),
            None if self.places.has_ended(pod) => Where::Nowhere,
            None => Where::Unknown,
        }
    }

    /// Says how the pods stand after the plan was followed: `failed` are those that could not be taken in, with the reason.
    pub(crate) fn settle(
        &self,
        plan: &Plan,
        is_captured: impl Fn(&str) -> bool,
        failed: &[(Arc<str>, String)],
    ) {
        let standing = Standing::of(plan, is_captured, failed);
        let report = standing.report(&self.reports.borrow());
        self.standing.send_replace(Arc::new(standing));
        self.reports.send_if_modified(|said| {
            let news = **said != report;
            *said = Arc::new(report);
            news
        });
    }
}
