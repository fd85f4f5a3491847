//! What went wrong with a backend, by hyper's error: for the log, for the answer, and for the decision to try again.

use std::error::Error;

use http::StatusCode;

use crate::proxy::report::Flags;

/// A try without a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) flags: Flags,
    /// Envoy's words.
    pub(crate) details: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The connection is gone.
    Closed,
    /// The stream was reset.
    Reset,
    /// The endpoint has not looked at the request.
    Refused,
    /// It is not HTTP what came.
    Protocol,
}

impl Failure {
    pub(crate) fn status(self) -> StatusCode {
        match self.kind {
            Kind::Protocol => StatusCode::BAD_GATEWAY,
            Kind::Closed | Kind::Reset | Kind::Refused => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What Envoy's users know.
    pub(crate) fn message(self) -> &'static str {
        match self.kind {
            Kind::Closed => {
                "upstream connect error or disconnect/reset before headers. reset reason: connection termination"
            }
            Kind::Reset => {
                "upstream connect error or disconnect/reset before headers. reset reason: remote reset"
            }
            Kind::Refused => {
                "upstream connect error or disconnect/reset before headers. reset reason: remote refused stream reset"
            }
            Kind::Protocol => {
                "upstream connect error or disconnect/reset before headers. reset reason: protocol error"
            }
        }
    }
}

/// Reads an error.
pub(crate) fn of(error: &hyper::Error) -> Failure {
    if let Some(h2) = source::<h2::Error>(error) {
        return of_http2(h2);
    }
    if error.is_parse() || error.is_parse_too_large() {
        return PROTOCOL;
    }
    CLOSED
}

fn of_http2(error: &h2::Error) -> Failure {
    let untouched = error.reason() == Some(h2::Reason::REFUSED_STREAM)
        || (error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR));
    if untouched {
        return REFUSED;
    }
    if error.is_reset() && error.is_remote() {
        return RESET;
    }
    if error.is_library() || (error.is_reset() && error.reason() == Some(h2::Reason::PROTOCOL_ERROR)) {
        return PROTOCOL;
    }
    CLOSED
}

fn source<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

const CLOSED: Failure = Failure {
    kind: Kind::Closed,
    flags: Flags::UPSTREAM_CONNECTION_TERMINATION,
    details: "upstream_reset_before_response_started{connection_termination}",
};
const RESET: Failure = Failure {
    kind: Kind::Reset,
    flags: Flags::UPSTREAM_REMOTE_RESET,
    details: "upstream_reset_before_response_started{remote_reset}",
};
const REFUSED: Failure = Failure {
    kind: Kind::Refused,
    flags: Flags::UPSTREAM_REMOTE_RESET,
    details: "upstream_reset_before_response_started{remote_refused_stream_reset}",
};
const PROTOCOL: Failure = Failure {
    kind: Kind::Protocol,
    flags: Flags::UPSTREAM_PROTOCOL_ERROR,
    details: "upstream_reset_before_response_started{protocol_error}",
};
