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
    NoEndpoints,
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
            Self::Unknown | Self::Refused => Flags::NO_CLUSTER,
            Self::NoEndpoints => Flags::NO_HEALTHY_UPSTREAM,
            Self::Overflow => Flags::UPSTREAM_OVERFLOW,
        }
    }

    pub(crate) fn details(self) -> &'static str {
        match self {
            Self::Unknown => "cluster_not_found",
            Self::Refused => "cluster_refused",
            Self::NoEndpoints => "no_healthy_upstream",
            Self::Overflow => "upstream_reset_before_response_started{overflow}",
        }
    }

    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Refused => "the configuration of the service does not let anything be sent to it",
            Self::NoEndpoints => "no healthy upstream",
            Self::Overflow => {
                "upstream connect error or disconnect/reset before headers. reset reason: overflow"
            }
        }
    }
}
