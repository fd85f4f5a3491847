//! Timeouts and retries of HTTPRoutes.

use weir_proto::l7::{self, RetryOn};

use super::spec::{Retry, Timeouts};
use crate::part::{Part, Place};
use crate::problem::{Effect, Problems, Reason};
use crate::value::GatewayDuration;

/// Of the whole request, and of one try. 0 is none.
pub(super) fn timeouts(
    part: &Part<Timeouts>,
    field: &str,
    problems: &mut Problems,
) -> [Option<prost_types::Duration>; 2] {
    let effect = Effect::Ignored;
    let Some(given) = part.get(&Place { field, effect }, problems) else { return [None, None] };
    // Reported.
    let _ = given.unknown.report(&Place { field, effect }, problems);
    let (path, try_path) = (format!("{field}.request"), format!("{field}.backendRequest"));
    let some = |length: Option<&GatewayDuration>| length.copied().filter(|length| !length.0.is_zero());
    let whole = some(given.request.get(&Place { field: &path, effect }, problems));
    let one = some(given.backend_request.get(&Place { field: &try_path, effect }, problems));
    let one = one.filter(|one| {
        let fits = whole.is_none_or(|whole| *one <= whole);
        if !fits {
            problems.add(
                &try_path,
                Reason::UnsupportedValue,
                effect,
                "is longer than that of the whole request",
            );
        }
        fits
    });
    [whole.map(|length| length.wire()), one.map(|length| length.wire())]
}

/// `None`: nothing is said.
pub(super) fn retry(part: &Part<Retry>, field: &str, problems: &mut Problems) -> Option<l7::Retry> {
    let effect = Effect::Ignored;
    let given = part.get(&Place { field, effect }, problems)?;
    // Reported.
    let _ = given.unknown.report(&Place { field, effect }, problems);
    let (codes, attempts, backoff) =
        (format!("{field}.codes"), format!("{field}.attempts"), format!("{field}.backoff"));
    let mut statuses =
        given.codes.get(&Place { field: &codes, effect }, problems).cloned().unwrap_or_default();
    statuses.retain(|status| {
        let good = (400..600).contains(status);
        if !good {
            let message = format!("{status} is not a status; expected 400 to 599");
            problems.add(&codes, Reason::UnsupportedValue, effect, message);
        }
        good
    });
    statuses.sort_unstable();
    statuses.dedup();
    let given_attempts = given.attempts.get(&Place { field: &attempts, effect }, problems).copied();
    let attempts = match given_attempts.map(u32::try_from) {
        None => DEFAULT_ATTEMPTS,
        Some(Ok(attempts)) => attempts,
        Some(Err(_)) => {
            problems.add(attempts, Reason::UnsupportedValue, effect, "is negative");
            DEFAULT_ATTEMPTS
        }
    };
    let backoff = given.backoff.get(&Place { field: &backoff, effect }, problems).map(|length| length.wire());
    // A request that reached nobody is tried again, whatever the codes.
    let on = [RetryOn::Reset, RetryOn::ConnectFailure, RetryOn::RefusedStream];
    Some(l7::Retry { attempts, on: on.map(i32::from).to_vec(), statuses, backoff, ..l7::Retry::default() })
}

const DEFAULT_ATTEMPTS: u32 = 2;
