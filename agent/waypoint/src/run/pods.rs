//! Pods that are called by their own addresses (`istio.io/waypoint-for: workload` or `all`).
//!
//! There are no routes for an address, so the control plane need not say anything: which pods go through this waypoint is
//! in the mesh, and the waypoint's own policies hold. A pod is made a service of one port when it is first called there.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use weir_model::{Directory, TunnelProtocol, Workload, is_own_waypoint_of};
use weir_proto::l7;

use crate::balance::{Cluster, Own};
use crate::proxy::{Service, ServiceName, Settings};
use crate::route::{BackendRef, Rejection};

/// Those that were called and are not forgotten.
#[derive(Default)]
pub(super) struct Pods(Mutex<State>);

#[derive(Default)]
struct State {
    /// What holds for all of them; none: nothing is served.
    waypoint: Option<Arc<l7::Waypoint>>,
    /// By uid and address: a pod may have several.
    called: HashMap<(Arc<str>, SocketAddr), Called>,
}

struct Called {
    workload: Arc<Workload>,
    service: Arc<Service>,
    cluster: Arc<Cluster>,
}

impl Pods {
    /// What holds from now on, for open connections as well.
    pub(super) fn apply(&self, waypoint: Option<&Arc<l7::Waypoint>>) {
        let mut state = self.lock();
        let is_same = match (&state.waypoint, waypoint) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (None, None) => true,
            _ => false,
        };
        if is_same {
            return;
        }
        state.waypoint = waypoint.cloned();
        for ((uid, addr), called) in &state.called {
            let settings = match waypoint {
                Some(waypoint) => settings(&called.workload, *addr, waypoint),
                None => closed(&called.workload, *addr),
            };
            match settings {
                Ok(settings) => called.service.update(settings),
                Err(rejection) => tracing::error!(%uid, %rejection, "a pod is served as before"),
            }
        }
    }

    /// The pod at an address, if calls of that address have to go through `own`.
    pub(super) fn called(
        &self,
        directory: &Directory,
        own: &Workload,
        addr: SocketAddr,
    ) -> Option<Arc<Service>> {
        let workload = directory.workload_by_ip(&own.network, addr.ip())?;
        if workload.uid == own.uid || !is_own_waypoint_of(directory, own, workload) {
            return None;
        }
        let mut state = self.lock();
        let key = (workload.uid.clone(), addr);
        if let Some(known) = state.called.get(&key).filter(|known| Arc::ptr_eq(&known.workload, workload)) {
            return Some(known.service.clone());
        }
        let waypoint = state.waypoint.clone()?;
        let made = make(workload, addr, &waypoint, state.called.get(&key));
        let called = made
            .inspect_err(|rejection| tracing::error!(uid = %workload.uid, %rejection, "a pod is not served"))
            .ok()?;
        if state.called.len() == state.called.capacity() {
            // Nobody is connected to it.
            state.called.retain(|_, called| Arc::strong_count(&called.service) > 1);
        }
        let service = called.service.clone();
        state.called.insert(key, called);
        Some(service)
    }

    /// Where requests to one of them go.
    pub(super) fn cluster(&self, backend: &BackendRef) -> Option<Arc<Cluster>> {
        let state = self.lock();
        let (_, hostname) = backend.resource.split_once('/')?;
        let (ip, uid) = hostname.split_once('@')?;
        let addr = SocketAddr::new(ip.parse().ok()?, backend.port);
        state.called.get(&(uid.into(), addr)).map(|called| called.cluster.clone())
    }

    /// A panic leaves it whole: each change is one insertion.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make(
    workload: &Arc<Workload>,
    addr: SocketAddr,
    waypoint: &l7::Waypoint,
    old: Option<&Called>,
) -> Result<Called, Rejection> {
    let settings = settings(workload, addr, waypoint)?;
    let cluster = match old {
        Some(old) => old.cluster.clone(),
        None => {
            let form = l7::Cluster { port: addr.port().into(), ..l7::Cluster::default() };
            Arc::new(Cluster::new(&form, &Own::default(), Instant::now())?)
        }
    };
    if let Some(rejection) = cluster.update(&[endpoint(workload, addr)], Instant::now()).into_iter().next() {
        return Err(rejection);
    }
    let service = match old {
        Some(old) => {
            old.service.update(settings);
            old.service.clone()
        }
        None => {
            let ip = addr.ip().to_string();
            let name = ServiceName {
                hostname: ip.as_str().into(),
                name: ip.as_str().into(),
                namespace: (&*workload.namespace).into(),
            };
            Arc::new(Service::new(&workload.uid, name, settings))
        }
    };
    Ok(Called { workload: workload.clone(), service, cluster })
}

fn settings(workload: &Workload, addr: SocketAddr, waypoint: &l7::Waypoint) -> Result<Settings, Rejection> {
    Settings::compile(&frontend(workload, addr), &waypoint.authorizations, waypoint)
}

/// Nobody says what holds any more.
fn closed(workload: &Workload, addr: SocketAddr) -> Result<Settings, Rejection> {
    let nobody = l7::Authorization {
        name: "no longer served here".to_owned(),
        action: l7::Action::Allow.into(),
        ..l7::Authorization::default()
    };
    Settings::compile(&frontend(workload, addr), [&nobody], &l7::Waypoint::default())
}

/// One port, what is spoken there to be found out, and no routes.
fn frontend(workload: &Workload, addr: SocketAddr) -> l7::Frontend {
    let port = l7::FrontendPort { port: addr.port().into(), ..l7::FrontendPort::default() };
    l7::Frontend {
        namespace: workload.namespace.to_string(),
        hostname: format!("{}@{}", addr.ip(), workload.uid),
        ports: vec![port],
        ..l7::Frontend::default()
    }
}

fn endpoint(workload: &Workload, addr: SocketAddr) -> l7::Endpoint {
    let tunnel = workload.tunnel_protocol == TunnelProtocol::Hbone;
    let address = match addr.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    l7::Endpoint {
        uid: workload.uid.to_string(),
        addresses: vec![address],
        ports: [(addr.port().into(), addr.port().into())].into(),
        tunnel,
        identity: if tunnel { workload.identity().to_string() } else { String::new() },
        workload: workload.workload_name.to_string(),
        workload_namespace: workload.namespace.to_string(),
        canonical_name: workload.canonical_name.to_string(),
        canonical_revision: workload.canonical_revision.to_string(),
        cluster: workload.cluster_id.to_string(),
        node: workload.node.to_string(),
        ..l7::Endpoint::default()
    }
}
