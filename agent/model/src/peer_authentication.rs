//! Whether a workload takes plaintext, for the whole workload and port by port.

use std::collections::BTreeMap;

use serde::Serialize;

/// Istio's PeerAuthentication modes as the data plane knows them (DISABLE is PERMISSIVE, UNSET is resolved).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MtlsMode {
    /// Plaintext is let in beside the tunnel.
    #[default]
    Permissive,
    /// Only a peer with an identity is let in.
    Strict,
}

/// The effective mode of one workload, levels already resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PeerAuthentication {
    /// Mode of every port that `ports` does not name.
    pub mode: MtlsMode,
    /// Exceptions by workload (target) port.
    pub ports: BTreeMap<u16, MtlsMode>,
}

impl PeerAuthentication {
    /// The mode of one workload port.
    pub fn mode_of(&self, port: u16) -> MtlsMode {
        self.ports.get(&port).copied().unwrap_or(self.mode)
    }
}
