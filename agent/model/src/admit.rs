//! May this connection come in? The destination's side of policy.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::{Identity, MtlsMode, Workload};

/// The answer to a connection that wants in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allow,
    /// It may not.
    Deny(Denial),
}

impl Verdict {
    /// Whether the connection may come in.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow)
    }
}

/// Why a connection may not come in. The text is for the log line of that connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// Plaintext to a port that is STRICT.
    #[error("{workload} takes no plaintext on port {port} (PeerAuthentication STRICT)")]
    PlaintextToStrict {
        /// uid of the destination.
        workload: Arc<str>,
        /// Port on the workload.
        port: u16,
    },
    /// The peer is of another trust domain.
    #[error("peer {peer} is not of trust domain {expected} of {workload}")]
    TrustDomain {
        /// uid of the destination.
        workload: Arc<str>,
        /// Identity that the peer proved.
        peer: Identity,
        /// Trust domain of the destination.
        expected: Arc<str>,
    },
    /// A policy selects the workload that this version cannot evaluate: letting the connection in would widen it.
    #[error("{workload} is selected by policy {policy}; authorization policies are not supported yet")]
    PolicyNotYet {
        /// uid of the destination.
        workload: Arc<str>,
        /// Key of the first policy.
        policy: Arc<str>,
    },
}

/// Whether plaintext may come in at a workload's port: STRICT or PERMISSIVE, with the exceptions by port.
pub fn admit_plaintext(dst: &Workload, port: u16) -> Verdict {
    if let Some(denial) = unknown_policy(dst) {
        return Verdict::Deny(denial);
    }
    match dst.peer_authentication.mode_of(port) {
        MtlsMode::Permissive => Verdict::Allow,
        MtlsMode::Strict => Verdict::Deny(Denial::PlaintextToStrict { workload: dst.uid.clone(), port }),
    }
}

/// Whether a peer that proved `peer` may open a stream to `addr` of a workload.
pub fn admit_tunnel(dst: &Workload, peer: &Identity, _addr: SocketAddr) -> Verdict {
    if let Some(denial) = unknown_policy(dst) {
        return Verdict::Deny(denial);
    }
    if peer.trust_domain() != &*dst.trust_domain {
        return Verdict::Deny(Denial::TrustDomain {
            workload: dst.uid.clone(),
            peer: peer.clone(),
            expected: dst.trust_domain.clone(),
        });
    }
    Verdict::Allow
}

fn unknown_policy(dst: &Workload) -> Option<Denial> {
    let policy = dst.authorization_policies.first()?.clone();
    Some(Denial::PolicyNotYet { workload: dst.uid.clone(), policy })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::PeerAuthentication;
    use MtlsMode::{Permissive, Strict};

    fn pod(mode: MtlsMode, ports: &[(u16, MtlsMode)]) -> Workload {
        let ports = ports.iter().copied().collect();
        Workload { peer_authentication: PeerAuthentication { mode, ports }, ..Workload::pod("shop", "web") }
    }

    #[rstest]
    #[case::permissive(Permissive, &[], 80, true)]
    #[case::strict(Strict, &[], 80, false)]
    #[case::strict_but_this_port(Strict, &[(80, Permissive)], 80, true)]
    #[case::strict_but_another_port(Strict, &[(81, Permissive)], 80, false)]
    #[case::permissive_but_this_port(Permissive, &[(80, Strict)], 80, false)]
    #[case::permissive_but_another_port(Permissive, &[(81, Strict)], 80, true)]
    fn plaintext(
        #[case] mode: MtlsMode,
        #[case] ports: &[(u16, MtlsMode)],
        #[case] port: u16,
        #[case] allowed: bool,
    ) {
        assert_eq!(admit_plaintext(&pod(mode, ports), port).is_allowed(), allowed);
    }

    #[rstest]
    #[case::same("spiffe://cluster.local/ns/other/sa/x", true)]
    #[case::other_domain("spiffe://example.org/ns/shop/sa/web", false)]
    #[case::longer_domain("spiffe://cluster.local.example.org/ns/shop/sa/web", false)]
    #[case::other_case("spiffe://CLUSTER.LOCAL/ns/shop/sa/web", false)]
    fn tunnel(#[case] peer: &str, #[case] allowed: bool) {
        let addr = "10.0.0.1:80".parse().unwrap();
        assert_eq!(admit_tunnel(&pod(Strict, &[]), &peer.parse().unwrap(), addr).is_allowed(), allowed);
    }

    #[test]
    fn a_policy_that_cannot_be_evaluated_lets_nobody_in() {
        let dst = Workload { authorization_policies: vec!["shop/only-web".into()], ..pod(Permissive, &[]) };
        let peer = "spiffe://cluster.local/ns/shop/sa/web".parse().unwrap();
        for verdict in [admit_plaintext(&dst, 80), admit_tunnel(&dst, &peer, "10.0.0.1:80".parse().unwrap())]
        {
            assert!(matches!(verdict, Verdict::Deny(Denial::PolicyNotYet { .. })));
        }
    }

    #[test]
    fn a_denial_names_the_workload_and_the_reason() {
        let Verdict::Deny(denial) = admit_plaintext(&pod(Strict, &[]), 80) else { panic!() };
        assert_eq!(
            denial.to_string(),
            "Kubernetes//Pod/shop/web takes no plaintext on port 80 (PeerAuthentication STRICT)"
        );
    }
}
