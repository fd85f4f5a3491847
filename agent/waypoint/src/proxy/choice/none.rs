//! No endpoint to go to.

use crate::balance::PickError;
use crate::proxy::report::Flags;

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoChoice {
    /// The route names what is not known.
    Unknown,
    /// The controller says that nothing may be sent.
    Refused,
    /// Nobody knows which name the server should prove to have.
    Nameless,
    NoEndpoints,
    /// The names of all endpoints lead nowhere.
    Unresolved,
    Overflow,
}

impl From<PickError> for NoChoice {
    fn from(error: PickError) -> Self {
        match error {
            PickError::NoEndpoints | PickError::NoHealthy | PickError::NoOriginalDestination => {
                Self::NoEndpoints
            }
            PickError::Overflow(_) => Self::Overflow,
        }
    }
}

impl NoChoice {
    pub(crate) fn flags(self) -> Flags {
        match self {
            Self::Unknown | Self::Refused | Self::Nameless => Flags::NO_CLUSTER,
            Self::NoEndpoints => Flags::NO_HEALTHY_UPSTREAM,
            Self::Unresolved => Flags::NO_HEALTHY_UPSTREAM | Flags::DNS_FAILURE,
            Self::Overflow => Flags::UPSTREAM_OVERFLOW,
        }
    }

    pub(crate) fn details(self) -> &'static str {
        match self {
            Self::Unknown => "cluster_not_found",
            Self::Refused => "cluster_refused",
            Self::Nameless => "no_server_name_for_tls",
            Self::NoEndpoints => "no_healthy_upstream",
            Self::Unresolved => "dns_resolution_failure",
            Self::Overflow => "upstream_reset_before_response_started{overflow}",
        }
    }

    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Refused => "the configuration of the service does not let anything be sent to it",
            Self::Nameless => {
                "nothing says which name the server must prove to have: neither sni nor the request"
            }
            Self::NoEndpoints => "no healthy upstream",
            Self::Unresolved => "no healthy upstream: names of endpoints lead nowhere",
            Self::Overflow => {
                "upstream connect error or disconnect/reset before headers. reset reason: overflow"
            }
        }
    }
}
