//! Pages of the mesh's processes: in their pods, through the API server, or at addresses that are given.

use std::net::SocketAddr;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::cluster::{Cluster, ClusterError, PodRef, page_at};

/// A process of the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Process {
    /// In a pod.
    Pod(PodRef),
    /// At an address.
    At(SocketAddr),
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pod(pod) => write!(f, "{}/{}", pod.namespace, pod.name),
            Self::At(address) => address.fmt(f),
        }
    }
}

/// The label of all that the controller makes for Gateways, as `weir-render` writes it.
pub const WAYPOINTS: &str = "gateway.istio.io/managed=weir.dev-mesh-controller";

/// Pods with these labels that run, in a namespace or (empty) everywhere.
///
/// # Errors
/// The cluster does not say.
pub async fn pods(cluster: &Cluster, namespace: &str, labels: &str) -> Result<Vec<Value>, ClusterError> {
    let pods = cluster.list("v1", "Pod", namespace, labels).await?;
    let runs = |pod: &Value| {
        pod["status"]["phase"] == "Running"
            && pod["metadata"].get("deletionTimestamp").is_none_or(Value::is_null)
    };
    Ok(pods.into_iter().filter(runs).collect())
}

/// The process in a pod.
#[must_use]
pub fn process(pod: &Value) -> Process {
    let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
    Process::Pod(PodRef { namespace: text("namespace"), name: text("name") })
}

/// The same page of many processes, a few at a time. Of one that does not answer, why.
pub async fn pages(
    cluster: Option<&Cluster>,
    processes: Vec<Process>,
    port: u16,
    path: &str,
) -> Vec<(Process, Result<Value, String>)> {
    let one = async |process: Process| {
        let page = page(cluster, &process, port, path).await.map_err(|error| error.to_string());
        (process, page)
    };
    stream::iter(processes).map(one).buffered(AT_ONCE).collect().await
}

/// A page of a process, as JSON. At an address, the port is the address's.
///
/// # Errors
/// It does not answer, or not with JSON.
pub async fn page(
    cluster: Option<&Cluster>,
    process: &Process,
    port: u16,
    path: &str,
) -> Result<Value, ClusterError> {
    let body = match (process, cluster) {
        (Process::At(address), _) => page_at(*address, path).await?,
        (Process::Pod(pod), Some(cluster)) => cluster.page(pod, port, path).await?,
        (Process::Pod(pod), None) => {
            let why = "no cluster is known".to_owned();
            return Err(ClusterError::Page { pod: pod.to_string(), port, path: path.to_owned(), why });
        }
    };
    serde_json::from_slice(&body).map_err(ClusterError::Json)
}

/// Port of the admin endpoint of agents and waypoints.
pub const ADMIN: u16 = 15000;
/// Port of the controller's pages.
pub const MONITORING: u16 = 15014;
const AT_ONCE: usize = 16;
