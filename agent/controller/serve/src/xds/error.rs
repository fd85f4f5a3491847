//! Why a stream ends.

use tonic::Status;

/// What a client did wrong, or why it cannot be served now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the first request of a stream must carry node.id")]
    NoNode,
    #[error(
        "node.id {0:?} is not TYPE~IP~NAME.NAMESPACE~NAMESPACE.svc.DOMAIN, with an IP there or in INSTANCE_IPS"
    )]
    BadNode(String),
    #[error("the caller is {caller}, which is not who the node says it is: {claim}")]
    NotTheCaller { caller: String, claim: String },
    #[error("{kind} resources are for waypoints (node.id waypoint~...), and {node:?} is none")]
    NotAWaypoint { kind: &'static str, node: String },
    #[error(
        "secrets are given to waypoints' service accounts only: that of a Gateway's name, or of pods behind its Service; {0} is none of these (yet)"
    )]
    NoSecrets(String),
    #[error(
        "{0} resources are given out by name only: ask for the names that are wanted, and not for \"*\" or nothing"
    )]
    NoWildcard(&'static str),
    #[error("the pods of a node are told to its agent only: {0}")]
    NoNodesAgent(String),
    #[error("{0} resources are given out as a whole, not by name")]
    OnlyAll(&'static str),
    #[error("a name of {0} bytes is too long")]
    LongName(usize),
    #[error("more than {0} names on one stream")]
    ManyNames(usize),
    #[error("missed too many removals; connect again and say what you hold")]
    Behind,
    #[error("no request came in time")]
    Silent,
    #[error("responses have not been read for too long")]
    Stalled,
    #[error("not ready: the mesh has not been read completely")]
    NotReady,
    #[error("the control plane is going away")]
    Closing,
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::NoNode
            | Refusal::BadNode(_)
            | Refusal::LongName(_)
            | Refusal::NoWildcard(_)
            | Refusal::OnlyAll(_) => Self::invalid_argument(text),
            Refusal::NoSecrets(_) => Self::permission_denied(text),
            Refusal::NotTheCaller { .. } | Refusal::NotAWaypoint { .. } | Refusal::NoNodesAgent(_) => {
                Self::permission_denied(text)
            }
            Refusal::ManyNames(_) => Self::resource_exhausted(text),
            Refusal::Behind => Self::aborted(text),
            Refusal::Silent | Refusal::Stalled => Self::deadline_exceeded(text),
            Refusal::NotReady | Refusal::Closing => Self::unavailable(text),
        }
    }
}
