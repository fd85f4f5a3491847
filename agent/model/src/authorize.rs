//! What the policies in force say about a connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::policy::Action;
use crate::{Denial, Identity, Policy, Verdict};

/// What is known about a connection that wants in, and nothing that anybody could have written into a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection<'a> {
    /// What the peer proved; `None` if it came in plaintext.
    pub peer: Option<&'a Identity>,
    /// Address of the TCP peer.
    pub source_ip: IpAddr,
    /// Where the connection finally goes: the application, not the tunnel.
    pub destination: SocketAddr,
}

impl Connection<'_> {
    /// The v4-in-v6 form that dual-stack sockets report would be in no range of IPv4.
    fn canonical(self) -> Self {
        let destination = SocketAddr::new(self.destination.ip().to_canonical(), self.destination.port());
        Self { source_ip: self.source_ip.to_canonical(), destination, ..self }
    }
}

/// What the policies that are for the destination say. A policy that denies decides; if any allows, one of those must
/// match; without any the connection may come in. Policies of a dry run are not there.
pub fn authorize<'p>(
    policies: impl IntoIterator<Item = &'p Arc<Policy>>,
    connection: &Connection<'_>,
) -> Verdict {
    decide(policies.into_iter().filter(|policy| !policy.dry_run), connection)
}

/// What the verdict would be if the policies of a dry run were enforced, too. `None` if there are none.
pub fn rehearse<'p>(
    policies: impl IntoIterator<Item = &'p Arc<Policy>> + Clone,
    connection: &Connection<'_>,
) -> Option<Verdict> {
    let rehearsed = policies.clone().into_iter().any(|policy| policy.dry_run);
    rehearsed.then(|| decide(policies.into_iter(), connection))
}

fn decide<'p>(policies: impl Iterator<Item = &'p Arc<Policy>>, connection: &Connection<'_>) -> Verdict {
    let connection = connection.canonical();
    let (mut first_allow, mut allows, mut allowed) = (None, 0, false);
    for policy in policies {
        match policy.action {
            Action::Deny => {
                if let Some(rule) = policy.matching_rule(&connection) {
                    return Verdict::Deny(Denial::ByPolicy { policy: policy.key.clone(), rule });
                }
            }
            Action::Allow => {
                allows += 1;
                first_allow.get_or_insert(policy);
                allowed = allowed || policy.matching_rule(&connection).is_some();
            }
        }
    }
    match first_allow {
        Some(policy) if !allowed => {
            Verdict::Deny(Denial::NotAllowed { policy: policy.key.clone(), others: allows - 1 })
        }
        _ => Verdict::Allow,
    }
}

#[cfg(test)]
mod tests;
