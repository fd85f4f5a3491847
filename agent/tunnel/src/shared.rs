//! What all workers share: read often, written by the control side.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weir_identity::Certificates;
use weir_model::Directory;

use crate::access::AccessLog;
use crate::metrics::Metrics;
use crate::{Config, Limits, TunnelError};

/// Sockets in a pod's network namespace. The agent implements it over the datapath, tests over plain sockets.
pub trait PodNetwork: Send + Sync + 'static {
    /// An unconnected, non-blocking socket for a connection from the pod to `remote`.
    ///
    /// # Errors
    /// What the kernel says.
    fn dial(&self, remote: SocketAddr) -> io::Result<socket2::Socket>;

    /// An unconnected, non-blocking socket for a delivery to the pod's application at `app`, bound so that
    /// the application sees `client`.
    ///
    /// # Errors
    /// What the kernel says.
    fn deliver(&self, client: IpAddr, app: SocketAddr) -> io::Result<socket2::Socket>;

    /// Whether the pod has this address now.
    fn owns(&self, ip: IpAddr) -> bool;

    /// Whether a connection from or to `ip` is the pod talking to itself. Only tests, which have nothing but
    /// loopback, have another opinion.
    fn is_self(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || ip.is_unspecified() || self.owns(ip)
    }
}

/// A pod of this node whose traffic is captured.
pub struct LocalPod {
    uid: Arc<str>,
    net: Arc<dyn PodNetwork>,
    gone: CancellationToken,
    /// Workers that may hold sockets of it.
    users: watch::Sender<usize>,
}

impl LocalPod {
    /// A pod; `uid` is its workload's.
    pub fn new(uid: impl Into<Arc<str>>, net: Arc<dyn PodNetwork>) -> Arc<Self> {
        let (uid, gone, users) = (uid.into(), CancellationToken::new(), watch::Sender::new(0));
        Arc::new(Self { uid, net, gone, users })
    }

    /// Its workload's uid.
    pub fn uid(&self) -> &Arc<str> {
        &self.uid
    }

    /// Its sockets.
    pub fn net(&self) -> &dyn PodNetwork {
        &*self.net
    }

    /// Closes its listeners, tunnels and connections, on every worker, with RST. Returns at once.
    pub fn abort(&self) {
        self.gone.cancel();
    }

    /// Waits, after [`LocalPod::abort`], until the last of its sockets is closed.
    pub async fn closed(&self) {
        // It cannot fail: the sender is here.
        let _ = self.users.subscribe().wait_for(|users| *users == 0).await;
    }

    pub(crate) fn used(self: &Arc<Self>) -> PodUse {
        self.users.send_modify(|users| *users += 1);
        PodUse(self.clone())
    }

    pub(crate) async fn gone(&self) {
        self.gone.cancelled().await;
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.is_cancelled()
    }
}

/// Held by a worker while it may hold sockets of a pod.
pub(crate) struct PodUse(Arc<LocalPod>);

impl Drop for PodUse {
    fn drop(&mut self) {
        self.0.users.send_modify(|users| *users -= 1);
    }
}

/// The captured pods of this node, by uid.
#[derive(Default)]
pub struct Pods(ArcSwap<HashMap<Arc<str>, Arc<LocalPod>>>);

impl Pods {
    /// Makes a pod known: connections from other pods of the node are handed over in the process.
    pub fn insert(&self, pod: Arc<LocalPod>) {
        self.0.rcu(|pods| {
            let mut pods = HashMap::clone(pods);
            pods.insert(pod.uid.clone(), pod.clone());
            pods
        });
    }

    /// Forgets a pod. Its connections stay until [`LocalPod::abort`].
    pub fn remove(&self, uid: &str) {
        self.0.rcu(|pods| {
            let mut pods = HashMap::clone(pods);
            pods.remove(uid);
            pods
        });
    }

    /// The pod with this uid.
    pub fn get(&self, uid: &str) -> Option<Arc<LocalPod>> {
        self.0.load().get(uid).cloned()
    }
}

/// Reads the current directory.
pub type DirectoryReader = Arc<dyn Fn() -> Arc<Directory> + Send + Sync>;

/// Everything that a worker needs.
pub struct Shared {
    /// Settings.
    pub config: Config,
    /// The mesh.
    pub directory: DirectoryReader,
    /// Says, after the fact, that `directory` gives another one: open connections are looked at again.
    pub changes: watch::Receiver<()>,
    /// Certificates of this node's workloads.
    pub certificates: Arc<Certificates>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Where a line per connection goes.
    pub access_log: Arc<dyn AccessLog>,
    /// This node's captured pods.
    pub pods: Pods,
    /// What DestinationRules count.
    pub limits: Limits,
}

impl Shared {
    pub(crate) fn certificate(
        &self,
        identity: &weir_model::Identity,
    ) -> Result<Arc<weir_identity::WorkloadCertificate>, TunnelError> {
        self.certificates.current(identity).map_err(|e| TunnelError::NoIdentity(Arc::new(e)))
    }
}
