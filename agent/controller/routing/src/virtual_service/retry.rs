//! Retries.

use serde_json::Value;
use weir_proto::l7::{self, RetryOn};

use super::spec::Retries;
use crate::part::{Part, Place, part, without_nulls};
use crate::problem::{Effect, Problems, Reason, quoted};

/// What a rule says about retries.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Policy {
    /// `None`: what holds for all.
    pub(super) retry: Option<l7::Retry>,
    pub(super) try_timeout: Option<prost_types::Duration>,
}

/// A policy for all routes (`meshConfig.defaultHttpRetryPolicy`), and what is wrong with it.
pub fn retry_policy(value: &Value) -> (Option<l7::Retry>, Problems) {
    let mut problems = Problems::default();
    let retries = part(&without_nulls(value));
    let policy = policy(&retries, "defaultHttpRetryPolicy", &mut problems);
    (policy.and_then(|policy| policy.retry), problems)
}

/// `None`: nothing is said.
pub(super) fn policy(retries: &Part<Retries>, field: &str, problems: &mut Problems) -> Option<Policy> {
    let effect = Effect::Ignored;
    let retries = retries.get(&Place { field, effect }, problems)?;
    let path = |name: &str| format!("{field}.{name}");
    // Reported.
    let _ = retries.unknown.report(&Place { field, effect }, problems);
    macro_rules! get {
        ($part:ident, $name:literal) => {
            retries.$part.get(&Place { field: &path($name), effect }, problems)
        };
    }
    let try_timeout = get!(per_try_timeout, "perTryTimeout").map(|d| d.wire());
    let backoff = get!(backoff, "backoff").map(|d| d.wire());
    let remote_localities = get!(retry_remote_localities, "retryRemoteLocalities").copied().unwrap_or(false);
    let ignore_previous =
        get!(retry_ignore_previous_hosts, "retryIgnorePreviousHosts").copied().unwrap_or(true);
    let on = get!(retry_on, "retryOn").cloned().unwrap_or_default();
    let attempts = match retries.attempts.try_get(&Place { field: &path("attempts"), effect }, problems) {
        Ok(attempts) => attempts.copied().unwrap_or(0),
        // How often is not known, but that it is wanted.
        Err(_) => DEFAULT_ATTEMPTS,
    };
    let attempts = u32::try_from(attempts).unwrap_or_else(|_| {
        problems.add(
            path("attempts"),
            Reason::Invalid,
            effect,
            format!("{attempts} is negative: nothing is retried"),
        );
        0
    });
    if attempts == 0 && retries.retry_on.is_there() {
        problems.notice(path("attempts"), "is 0: nothing is retried");
    }
    let (on, statuses) =
        words(if on.trim().is_empty() { DEFAULT_WORDS } else { &on }, &path("retryOn"), problems);
    let is_set =
        |timeout: &prost_types::Duration| attempts > 0 && *timeout != prost_types::Duration::default();
    // Who wants no retries has no tries to limit, as in Istio.
    let try_timeout = try_timeout.filter(is_set);
    let on = on.into_iter().map(i32::from).collect();
    let same_endpoints = !ignore_previous;
    let retry = l7::Retry { attempts, on, statuses, backoff, remote_localities, same_endpoints };
    Some(Policy { retry: Some(retry), try_timeout })
}

/// The words of `retryOn`, and the statuses among them.
fn words(text: &str, field: &str, problems: &mut Problems) -> (Vec<RetryOn>, Vec<u32>) {
    let (mut on, mut statuses, mut by_status) = (Vec::new(), Vec::new(), false);
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let status = word.parse::<u32>().ok().filter(|status| (100..600).contains(status) && word.len() == 3);
        match (meaning(word), status) {
            (Some(meaning), _) => on.push(meaning),
            (None, Some(status)) => statuses.push(status),
            (None, None) if word == "retriable-status-codes" => by_status = true,
            (None, None) => {
                let message = match word {
                    "retriable-headers" | "http3-post-connect-failure" => format!("{word} cannot be done"),
                    word => format!("{} is no reason to retry", quoted(word)),
                };
                let reason =
                    if message.ends_with("done") { Reason::UnsupportedValue } else { Reason::Invalid };
                problems.add(field, reason, Effect::Ignored, message);
            }
        }
    }
    if by_status && statuses.is_empty() {
        problems.notice(field, "retriable-status-codes names no statuses; list them in retryOn");
    }
    on.sort_unstable_by_key(|on| i32::from(*on));
    on.dedup();
    statuses.sort_unstable();
    statuses.dedup();
    (on, statuses)
}

fn meaning(word: &str) -> Option<RetryOn> {
    Some(match word {
        "5xx" => RetryOn::FiveXx,
        "gateway-error" => RetryOn::GatewayError,
        "reset" => RetryOn::Reset,
        "reset-before-request" => RetryOn::ResetBeforeRequest,
        "connect-failure" => RetryOn::ConnectFailure,
        "retriable-4xx" => RetryOn::Retriable4xx,
        "refused-stream" => RetryOn::RefusedStream,
        "envoy-ratelimited" => RetryOn::Ratelimited,
        "cancelled" => RetryOn::GrpcCancelled,
        "deadline-exceeded" => RetryOn::GrpcDeadlineExceeded,
        "internal" => RetryOn::GrpcInternal,
        "resource-exhausted" => RetryOn::GrpcResourceExhausted,
        "unavailable" => RetryOn::GrpcUnavailable,
        _ => return None,
    })
}

/// Istio's, where `retryOn` is not said.
const DEFAULT_WORDS: &str = "connect-failure,refused-stream,unavailable,cancelled";
const DEFAULT_ATTEMPTS: i32 = 2;
