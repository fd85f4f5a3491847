//! Made failures.

use weir_proto::l7::{self, abort::Status};

use super::spec::{Abort, Delay, Fault, Percentage};
use crate::part::{Part, Place};
use crate::problem::{Effect, Problems, Reason, quoted};
use crate::value::{Percent, per_million};

/// `None`: no failures are made. One that cannot be made is none, and reported.
pub(super) fn fault(fault: &Part<Fault>, field: &str, problems: &mut Problems) -> Option<l7::Fault> {
    let effect = Effect::Ignored;
    let fault = fault.get(&Place { field, effect }, problems)?;
    // Reported.
    let _ = fault.unknown.report(&Place { field, effect }, problems);
    let (delay_field, abort_field) = (format!("{field}.delay"), format!("{field}.abort"));
    let given = fault.delay.get(&Place { field: &delay_field, effect }, problems);
    let delay = given.and_then(|given| delay(given, &delay_field, problems));
    let given = fault.abort.get(&Place { field: &abort_field, effect }, problems);
    let abort = given.and_then(|given| abort(given, &abort_field, problems));
    if !fault.delay.is_there() && !fault.abort.is_there() {
        problems.notice(field, "has neither a delay nor an abort");
    }
    (delay.is_some() || abort.is_some()).then_some(l7::Fault { delay, abort })
}

fn delay(delay: &Delay, field: &str, problems: &mut Problems) -> Option<l7::Delay> {
    let per_million = share(delay.percentage, delay.percent, field, problems);
    if delay.exponential_delay.is_some() {
        let message = "a delay can be fixed only";
        problems.add(format!("{field}.exponentialDelay"), Reason::UnsupportedValue, Effect::Ignored, message);
    }
    let Some(length) = delay.fixed_delay else {
        if delay.exponential_delay.is_none() {
            problems.add(format!("{field}.fixedDelay"), Reason::Invalid, Effect::Ignored, "is missing");
        }
        return None;
    };
    if length.0.as_micros() < 1000 {
        problems.add(format!("{field}.fixedDelay"), Reason::Invalid, Effect::Ignored, "must be at least 1ms");
        return None;
    }
    Some(l7::Delay { per_million, duration: Some(length.wire()) })
}

fn abort(abort: &Abort, field: &str, problems: &mut Problems) -> Option<l7::Abort> {
    let per_million = share(abort.percentage, abort.percent, field, problems);
    let mut wrong = |name: &str, reason, message: String| {
        problems.add(format!("{field}{name}"), reason, Effect::Ignored, message);
        None
    };
    let status = match (abort.http_status, &abort.grpc_status, &abort.http2_error) {
        (Some(status @ 200..=599), None, None) => Status::Http(status),
        (Some(status), None, None) => {
            return wrong(
                ".httpStatus",
                Reason::Invalid,
                format!("{status} is not a status; expected 200 to 599"),
            );
        }
        (None, Some(name), None) => match grpc_status(name) {
            Some(code) => Status::Grpc(code),
            None => {
                let message = format!("{} is not a status of gRPC", quoted(name));
                return wrong(".grpcStatus", Reason::Invalid, message);
            }
        },
        (None, None, Some(_)) => {
            let message = "errors of HTTP/2 cannot be made".to_owned();
            return wrong(".http2Error", Reason::UnsupportedValue, message);
        }
        (None, None, None) => {
            return wrong("", Reason::Invalid, "httpStatus or grpcStatus is missing".to_owned());
        }
        _ => {
            let message = "httpStatus, grpcStatus and http2Error exclude each other".to_owned();
            return wrong("", Reason::Invalid, message);
        }
    };
    Some(l7::Abort { per_million, status: Some(status) })
}

/// Not said: no request.
fn share(
    percentage: Option<Percentage>,
    percent: Option<Percent>,
    field: &str,
    problems: &mut Problems,
) -> u32 {
    match (percentage, percent) {
        (Some(percentage), _) => per_million(percentage.value),
        (None, Some(percent)) => {
            problems.notice(format!("{field}.percent"), "is deprecated; percentage is its name now");
            per_million(percent)
        }
        (None, None) => {
            problems.notice(format!("{field}.percentage"), "is missing: it happens to no request");
            0
        }
    }
}

/// By its name or number.
fn grpc_status(text: &str) -> Option<u32> {
    let name = text.to_ascii_uppercase().replace('-', "_");
    let known = GRPC.iter().position(|known| *known == name).and_then(|code| u32::try_from(code).ok());
    known.or_else(|| text.parse().ok().filter(|code| *code <= 16))
}

/// In the order of their numbers.
const GRPC: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
