//! What is wrong with an object, for who asks before it is there.

use weir_resources::{Object, Policy, Problem};

use super::finding::Findings;
use super::{authorization, peer_authentication};
use crate::Config;

/// For what the controller would refuse a policy, in the words of its status. Other objects are checked when they are
/// read.
pub(crate) fn check(object: &Object, config: &Config) -> Vec<Problem> {
    findings(object, config).map(|findings| findings.problems().cloned().collect()).unwrap_or_default()
}

/// What the author of a policy should know, though it is accepted.
pub(crate) fn warnings(object: &Object, config: &Config) -> Vec<Problem> {
    findings(object, config).map(|findings| findings.notices().cloned().collect()).unwrap_or_default()
}

fn findings(object: &Object, config: &Config) -> Option<Findings> {
    let authorization = |policy: &Policy| authorization::convert(policy, config).findings;
    match object {
        Object::AuthorizationPolicy(policy) => Some(authorization(policy)),
        Object::PeerAuthentication(policy) => Some(peer_authentication::read(policy, config).findings),
        _ => None,
    }
}
