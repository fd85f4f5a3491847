//! Whether a try that failed is worth another, and when.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use weir_proto::l7::{self, RetryOn};

use super::{
    chance::below,
    grpc,
    rejection::{Reason, Rejection, each, limit},
};

/// When a request is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Beside the first try.
    pub attempts: u32,
    /// Also endpoints of other localities than the first choice's.
    pub remote_localities: bool,
    /// Endpoints that were tried may be tried again.
    pub same_endpoints: bool,
    on: Causes,
    statuses: Vec<StatusCode>,
    backoff: Duration,
}

/// How a try ended.
#[derive(Debug, Clone, Copy)]
pub enum TryOutcome<'a> {
    /// With the head of a response.
    Response(StatusCode, &'a HeaderMap),
    /// No connection came about, in time or at all.
    ConnectFailure,
    /// The endpoint did not take the stream (HTTP/2's REFUSED_STREAM), or goes away without having looked at it.
    RefusedStream,
    /// The connection or stream ended before a response.
    Reset {
        /// Something of the request had been sent.
        request_sent: bool,
    },
    /// The try's own limit.
    TimedOut,
    /// Our own limits (circuit breakers, no endpoints): never tried again.
    Overflow,
}

impl Retry {
    /// Compiles the form.
    pub fn compile(form: &l7::Retry) -> Result<Retry, Rejection> {
        let mut on = Causes(0);
        for cause in each("on", &form.on, |cause| cause_of(*cause))? {
            on.add(cause);
        }
        Ok(Retry {
            attempts: form.attempts,
            remote_localities: form.remote_localities,
            same_endpoints: form.same_endpoints,
            on,
            statuses: each("statuses", &form.statuses, |value| any_status(*value))?,
            backoff: limit("backoff", form.backoff.as_ref())?.unwrap_or(BACKOFF),
        })
    }

    /// How long to wait before another try, by a uniformly random number; `None`: this outcome stands. `done` counts the
    /// tries beside the first.
    pub fn again(&self, done: u32, outcome: TryOutcome<'_>, random: u64) -> Option<Duration> {
        (done < self.attempts && self.wants(outcome)).then(|| self.wait(done, random))
    }

    /// Between nothing (full jitter) and a time that doubles with each try, up to ten times the first.
    fn wait(&self, done: u32, random: u64) -> Duration {
        let doubled = 2_u32.checked_pow(done).unwrap_or(MOST).min(MOST);
        let nanos = u64::try_from(self.backoff.saturating_mul(doubled).as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(below(random, nanos.saturating_add(1)))
    }

    fn wants(&self, outcome: TryOutcome<'_>) -> bool {
        use RetryOn::{ConnectFailure, FiveXx, GatewayError, RefusedStream, Reset, ResetBeforeRequest};
        // What would be a 502, 503 or 504 of ours, were it not tried again.
        let none = self.on.any(&[FiveXx, GatewayError, Reset]);
        match outcome {
            TryOutcome::Response(status, headers) => self.wants_response(status, headers),
            TryOutcome::ConnectFailure => none || self.on.any(&[ConnectFailure, ResetBeforeRequest]),
            TryOutcome::RefusedStream => none || self.on.any(&[RefusedStream]),
            TryOutcome::Reset { request_sent } => {
                none || (!request_sent && self.on.any(&[ResetBeforeRequest]))
            }
            TryOutcome::TimedOut => none,
            TryOutcome::Overflow => false,
        }
    }

    fn wants_response(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        if headers.contains_key(RATELIMITED) {
            // Whoever is over the limit makes it worse by coming again.
            return self.on.any(&[RetryOn::Ratelimited]);
        }
        let by_status = match status.as_u16() {
            502..=504 => self.on.any(&[RetryOn::FiveXx, RetryOn::GatewayError]),
            500..=599 => self.on.any(&[RetryOn::FiveXx]),
            409 => self.on.any(&[RetryOn::Retriable4xx]),
            _ => false,
        };
        let by_grpc =
            || grpc::status_of(headers).and_then(grpc_cause).is_some_and(|cause| self.on.any(&[cause]));
        by_status || self.statuses.contains(&status) || by_grpc()
    }
}

impl Default for Retry {
    /// Istio's, for requests whose route does not say.
    fn default() -> Retry {
        let mut on = Causes(0);
        for cause in [
            RetryOn::ConnectFailure,
            RetryOn::RefusedStream,
            RetryOn::GrpcUnavailable,
            RetryOn::GrpcCancelled,
        ] {
            on.add(cause);
        }
        Retry {
            attempts: 2,
            remote_localities: false,
            same_endpoints: false,
            on,
            statuses: Vec::new(),
            backoff: BACKOFF,
        }
    }
}

/// A set of causes, a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Causes(u32);

impl Causes {
    fn add(&mut self, cause: RetryOn) {
        self.0 |= 1 << (cause as i32);
    }

    fn any(self, causes: &[RetryOn]) -> bool {
        causes.iter().any(|cause| self.0 & (1 << (*cause as i32)) != 0)
    }
}

/// Also one that no try ends with: it does no harm.
fn any_status(value: u32) -> Result<StatusCode, Rejection> {
    let status = u16::try_from(value).ok().filter(|status| (100..600).contains(status));
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    status.ok_or(Reason::OutOfRange { value: value.into(), expected: "a status, 100 to 599" }.into())
}

fn cause_of(value: i32) -> Result<RetryOn, Rejection> {
    match RetryOn::try_from(value) {
        Ok(RetryOn::RetryUnspecified) => Err(Reason::Missing.into()),
        Ok(cause) => Ok(cause),
        Err(_) => Err(Reason::UnknownValue(value).into()),
    }
}

fn grpc_cause(code: u32) -> Option<RetryOn> {
    Some(match code {
        1 => RetryOn::GrpcCancelled,
        4 => RetryOn::GrpcDeadlineExceeded,
        8 => RetryOn::GrpcResourceExhausted,
        13 => RetryOn::GrpcInternal,
        14 => RetryOn::GrpcUnavailable,
        _ => return None,
    })
}

const RATELIMITED: &str = "x-envoy-ratelimited";
/// Envoy's.
const BACKOFF: Duration = Duration::from_millis(25);
/// Times the first wait.
const MOST: u32 = 10;

#[cfg(test)]
mod tests;
