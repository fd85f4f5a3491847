//! What the tasks of a worker share.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use weir_model::{Directory, Workload};

use super::admission::Admissions;
use super::flow::Reports;
use super::pool::Pool;
use super::tasks::Tasks;
use super::window::Budget;
use crate::{Config, LocalPod, Shared, TunnelError};

/// One worker's state.
pub(crate) struct Context {
    pub(crate) reports: Rc<Reports>,
    pub(crate) pool: Pool,
    /// Who was let in and is still there.
    pub(crate) admissions: Admissions,
    /// For what stalled streams keep of their tunnels' windows.
    pub(crate) budget: Rc<Budget>,
    /// No new work.
    pub(crate) draining: CancellationToken,
}

impl Context {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.reports.shared
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared().config
    }

    pub(crate) fn directory(&self) -> Arc<Directory> {
        (self.shared().directory)()
    }
}

/// One pod on one worker.
pub(crate) struct PodContext {
    pub(crate) pod: Arc<LocalPod>,
    /// Connections of applications: a drain waits for them.
    pub(crate) connections: Rc<Tasks>,
    /// Listeners and tunnels: they end when they have nothing left to do.
    pub(crate) services: Rc<Tasks>,
}

impl PodContext {
    /// The pod's workload in this directory.
    pub(crate) fn workload(&self, directory: &Directory) -> Result<Arc<Workload>, TunnelError> {
        let uid = self.pod.uid();
        let found = directory.workload(uid).cloned();
        found.ok_or_else(|| TunnelError::UnknownPod(uid.clone()))
    }

    /// The pod's address that a connection to `target` comes from: the one that the application chose, if
    /// it is one of the pod's and of the right family, else the pod's first. An application that is bound to
    /// 127.0.0.1 gets out too, but nobody outside can answer that address.
    pub(crate) fn source(&self, workload: &Workload, client: IpAddr, target: IpAddr) -> IpAddr {
        let fits = |ip: IpAddr| ip.is_ipv4() == target.is_ipv4();
        if fits(client) && !client.is_loopback() && self.pod.net().owns(client) {
            return client;
        }
        let first = workload.addresses.iter().copied().find(|ip| fits(*ip));
        first.unwrap_or(client)
    }
}

/// Without the v4-in-v6 form that dual-stack listeners report.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// Port of the tunnel.
pub const HBONE_PORT: u16 = 15008;

/// Whether a target port belongs to the mesh (Istio's set): a connection to it would be a call to itself.
pub(crate) fn is_mesh_port(port: u16) -> bool {
    matches!(port, 15001 | 15006 | HBONE_PORT)
}
