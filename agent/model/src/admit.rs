//! May this connection come in? The destination's side of policy.

use std::sync::Arc;

use crate::{Connection, Directory, Identity, MtlsMode, Workload, authorize};

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
    /// The workload lists a policy that has not arrived, or was refused: nobody can say what it forbids.
    #[error("{workload} lists policy {policy}, which is not known here (yet): nobody is let in without it")]
    UnknownPolicy {
        /// uid of the destination.
        workload: Arc<str>,
        /// Key of the first such policy.
        policy: Arc<str>,
    },
    /// A policy that denies matches.
    #[error("policy {policy} denies it (rules[{rule}])")]
    ByPolicy {
        /// Key of the policy.
        policy: Arc<str>,
        /// Place of its first rule that matches.
        rule: usize,
    },
    /// There are policies that allow, and none matches.
    #[error("no ALLOW policy matches: not {policy}{}", and_others(*others))]
    NotAllowed {
        /// Key of the first of them.
        policy: Arc<str>,
        /// How many there are besides.
        others: usize,
    },
}

impl Denial {
    /// Key of the policy that decided, if one did.
    pub fn policy(&self) -> Option<&Arc<str>> {
        match self {
            Self::UnknownPolicy { policy, .. }
            | Self::ByPolicy { policy, .. }
            | Self::NotAllowed { policy, .. } => Some(policy),
            Self::PlaintextToStrict { .. } | Self::TrustDomain { .. } => None,
        }
    }
}

/// Whether a connection may come in at `dst`, a workload of the directory.
///
/// Plaintext must be welcome at the port: STRICT or PERMISSIVE, with the exceptions by port. A peer with an identity
/// must be of the workload's trust domain. Then the policies decide, as [`authorize`] says. One that the workload lists
/// and that the directory does not have lets nobody in; it is the reason that is given, unless there is one that the
/// missing policy could not take away.
pub fn admit(directory: &Directory, dst: &Workload, connection: &Connection<'_>) -> Verdict {
    let refused = match connection.peer {
        None => refuse_plaintext(dst, connection.destination.port()),
        Some(peer) => refuse_stranger(dst, peer),
    };
    if let Some(denial) = refused {
        return Verdict::Deny(denial);
    }
    let verdict = authorize(directory.policies_for(dst), connection);
    match (directory.missing_policy(dst), verdict) {
        (None, verdict) | (Some(_), verdict @ Verdict::Deny(Denial::ByPolicy { .. })) => verdict,
        (Some(policy), _) => {
            Verdict::Deny(Denial::UnknownPolicy { workload: dst.uid.clone(), policy: policy.clone() })
        }
    }
}

fn refuse_plaintext(dst: &Workload, port: u16) -> Option<Denial> {
    let strict = dst.peer_authentication.mode_of(port) == MtlsMode::Strict;
    strict.then(|| Denial::PlaintextToStrict { workload: dst.uid.clone(), port })
}

fn refuse_stranger(dst: &Workload, peer: &Identity) -> Option<Denial> {
    let (workload, expected) = (&dst.uid, &dst.trust_domain);
    (peer.trust_domain() != &**expected).then(|| Denial::TrustDomain {
        workload: workload.clone(),
        peer: peer.clone(),
        expected: expected.clone(),
    })
}

fn and_others(others: usize) -> String {
    match others {
        0 => String::new(),
        others => format!(" nor {others} more"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{PeerAuthentication, Policy, PolicyScope};
    use MtlsMode::{Permissive, Strict};

    fn knock(directory: &Directory, dst: &Workload, peer: Option<&str>, port: u16) -> Verdict {
        let peer: Option<Identity> = peer.map(|peer| peer.parse().unwrap());
        let (source_ip, ip) = ([10, 0, 0, 9].into(), [10, 0, 0, 1].into());
        let destination = std::net::SocketAddr::new(ip, port);
        admit(directory, dst, &Connection { peer: peer.as_ref(), source_ip, destination })
    }

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
        assert_eq!(knock(&Directory::new(), &pod(mode, ports), None, port).is_allowed(), allowed);
    }

    #[rstest]
    #[case::same("spiffe://cluster.local/ns/other/sa/x", true)]
    #[case::other_domain("spiffe://example.org/ns/shop/sa/web", false)]
    #[case::longer_domain("spiffe://cluster.local.example.org/ns/shop/sa/web", false)]
    #[case::other_case("spiffe://CLUSTER.LOCAL/ns/shop/sa/web", false)]
    fn tunnel(#[case] peer: &str, #[case] allowed: bool) {
        assert_eq!(knock(&Directory::new(), &pod(Strict, &[]), Some(peer), 80).is_allowed(), allowed);
    }

    #[test]
    fn a_policy_that_is_not_known_lets_nobody_in() {
        let keys = ["shop/known", "shop/only-web"].map(Arc::from).to_vec();
        let dst = Workload { authorization_policies: keys, ..pod(Permissive, &[]) };
        let mut directory = Directory::new();
        let policy =
            |name| Policy::new("shop", name, PolicyScope::WorkloadSelector, crate::policy::Action::Deny);
        directory.upsert_policy(policy("known"));
        let peers = [None, Some("spiffe://cluster.local/ns/shop/sa/web")];
        for peer in peers {
            let Verdict::Deny(denial) = knock(&directory, &dst, peer, 80) else { panic!() };
            assert!(matches!(&denial, Denial::UnknownPolicy { policy, .. } if &**policy == "shop/only-web"));
        }
        directory.upsert_policy(policy("only-web"));
        assert!(peers.iter().all(|peer| knock(&directory, &dst, *peer, 80).is_allowed()));
        directory.remove_policy("shop/known");
        assert!(peers.iter().all(|peer| !knock(&directory, &dst, *peer, 80).is_allowed()));
    }

    #[rstest]
    #[case::nothing_else(None, "lists policy shop/missing")]
    #[case::what_allows_may_be_missing(Some(crate::policy::Action::Allow), "lists policy shop/missing")]
    #[case::what_denies_stays(Some(crate::policy::Action::Deny), "policy shop/known denies it")]
    fn a_missing_policy_is_the_reason_unless_there_is_a_better_one(
        #[case] known: Option<crate::policy::Action>,
        #[case] reason: &str,
    ) {
        let dst = Workload { authorization_policies: vec!["shop/missing".into()], ..pod(Permissive, &[]) };
        let mut directory = Directory::new();
        if let Some(action) = known {
            let mut policy = Policy::new("shop", "known", PolicyScope::Namespace, action);
            if action == crate::policy::Action::Deny {
                policy.rules.push(Default::default());
            }
            directory.upsert_policy(policy);
        }
        let Verdict::Deny(denial) = knock(&directory, &dst, None, 80) else { panic!() };
        assert!(denial.to_string().contains(reason), "{denial}");
    }

    #[test]
    fn a_denial_names_the_workload_and_the_reason() {
        let Verdict::Deny(denial) = knock(&Directory::new(), &pod(Strict, &[]), None, 80) else { panic!() };
        assert_eq!(
            denial.to_string(),
            "Kubernetes//Pod/shop/web takes no plaintext on port 80 (PeerAuthentication STRICT)"
        );
    }
}
