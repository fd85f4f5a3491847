//! What of a probe or a hook of a container makes the kubelet connect to the pod.

use serde::Deserialize;
use serde_json::Value;

use super::scalar::Text;

/// A probe, or a lifecycle hook. One that runs a program needs no port.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Probe {
    http_get: Option<Target>,
    tcp_socket: Option<Target>,
    grpc: Option<Target>,
}

/// `lifecycle` of a container.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Lifecycle {
    pub(super) post_start: Option<Probe>,
    pub(super) pre_stop: Option<Probe>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Target {
    /// A number, or the name of a port of the container.
    port: Value,
    host: Text,
}

impl Probe {
    /// The port that it connects to, if it is the pod's; `named` knows the container's. What the API server would not have
    /// taken opens nothing.
    pub(super) fn port(&self, named: &impl Fn(&str) -> Option<u16>) -> Option<u16> {
        let target = self.http_get.as_ref().or(self.tcp_socket.as_ref()).or(self.grpc.as_ref())?;
        if !target.host.0.is_empty() {
            return None;
        }
        let number = |text: &str| text.parse().ok();
        let port = match &target.port {
            Value::Number(port) => u16::try_from(port.as_u64()?).ok(),
            Value::String(name) => named(name).or_else(|| number(name)),
            _ => None,
        };
        port.filter(|port| *port != 0)
    }
}
