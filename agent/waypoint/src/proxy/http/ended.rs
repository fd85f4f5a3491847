//! A try without a response: whether it is worth another, and the answer if it is not.

use http::StatusCode;

use super::exchange::Local;
use super::failure::{Failure, Kind};
use crate::proxy::choice::NoChoice;
use crate::proxy::report::Flags;
use crate::route::TryOutcome;

/// How it ended.
#[derive(Debug)]
pub(super) enum Ended {
    NoChoice(NoChoice),
    NotConnected {
        late: bool,
        reason: String,
    },
    Failed {
        failure: Failure,
        sent: bool,
    },
    Late(Late),
    /// The client's body broke off: nobody is to blame but the client.
    Client,
    /// An upgrade to what the backend's protocol cannot carry.
    NoUpgrade,
}

/// Which limit was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    Request,
    Try,
    Idle,
}

impl Ended {
    /// For the decision to try again; `None` if there is nothing to decide.
    pub(super) fn outcome(&self) -> Option<TryOutcome<'static>> {
        Some(match self {
            Self::NoChoice(_) => TryOutcome::Overflow,
            Self::NotConnected { .. } => TryOutcome::ConnectFailure,
            Self::Failed { failure: Failure { kind: Kind::Refused, .. }, .. } => TryOutcome::RefusedStream,
            Self::Failed { sent, .. } => TryOutcome::Reset { request_sent: *sent },
            Self::Late(Late::Try) => TryOutcome::TimedOut,
            Self::Late(Late::Request | Late::Idle) | Self::Client | Self::NoUpgrade => return None,
        })
    }

    /// The answer, if this is the last word.
    pub(super) fn local(&self) -> Local {
        let local = |status, flags, details, message| Local { status, flags, details, message, grpc: None };
        match self {
            Self::NoChoice(none) => local(UNAVAILABLE, none.flags(), none.details(), none.message()),
            Self::NotConnected { late: true, .. } => local(
                UNAVAILABLE,
                Flags::UPSTREAM_CONNECT_FAILURE,
                "upstream_reset_before_response_started{connection_timeout}",
                "upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
            ),
            Self::NotConnected { late: false, .. } => local(
                UNAVAILABLE,
                Flags::UPSTREAM_CONNECT_FAILURE,
                "upstream_reset_before_response_started{remote_connection_failure}",
                "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
            ),
            Self::Failed { failure, .. } => {
                local(failure.status(), failure.flags, failure.details, failure.message())
            }
            Self::Late(Late::Request) => {
                local(TIMEOUT, Flags::UPSTREAM_TIMEOUT, "response_timeout", "upstream request timeout")
            }
            Self::Late(Late::Try) => local(
                TIMEOUT,
                Flags::UPSTREAM_TIMEOUT,
                "upstream_per_try_timeout",
                "upstream request timeout",
            ),
            Self::Late(Late::Idle) => {
                local(TIMEOUT, Flags::STREAM_IDLE_TIMEOUT, "stream_idle_timeout", "stream timeout")
            }
            Self::Client => local(
                StatusCode::BAD_REQUEST,
                Flags::DOWNSTREAM_DISCONNECT,
                "downstream_remote_disconnect",
                "",
            ),
            Self::NoUpgrade => local(
                StatusCode::NOT_IMPLEMENTED,
                Flags::NONE,
                "upgrade_failed",
                "the backend speaks HTTP/2 and has not said that it takes upgrades (RFC 8441)",
            ),
        }
    }
}

const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
const TIMEOUT: StatusCode = StatusCode::GATEWAY_TIMEOUT;
