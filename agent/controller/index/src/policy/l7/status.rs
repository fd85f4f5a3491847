//! What the author of a waypoint's policy is told.

use super::{AtWaypoints, Standing};
use crate::policy::finding::{Findings, Severity};
use crate::policy::target::Target;

/// A condition: whether, reason, message.
pub(in crate::policy) type Verdict = (bool, &'static str, String);

/// Whether it is accepted by the waypoints of what it names, in Istio's words.
pub(in crate::policy) fn accepted(
    policy: &AtWaypoints,
    findings: &Findings,
    words: &str,
    standing: impl Fn(&Target) -> Standing,
) -> Verdict {
    let standings: Vec<_> = policy.targets.iter().map(|target| (target, standing(target))).collect();
    let (bound, absent) = (count(&standings, Standing::is_bound), count(&standings, Standing::is_absent));
    let all = standings.len();
    let unclear = policy.elsewhere.is_some();
    let reason = match findings.worst() {
        Some(Severity::Invalid) if all == 0 || !unclear => "Invalid",
        Some(Severity::Invalid) => "PartiallyInvalid",
        Some(Severity::Unsupported) => "UnsupportedValue",
        _ if bound == all => "Accepted",
        _ if bound > 0 => "PartiallyInvalid",
        _ if absent == all => "TargetNotFound",
        _ => "AncestorNotBound",
    };
    let mut places: Vec<String> = standings.iter().take(SHOWN).map(place).collect();
    if all > SHOWN {
        places.push(format!("and {} more", all - SHOWN));
    }
    let places = places.join("; ");
    let message = match (findings.words().is_empty(), places.is_empty()) {
        (true, _) => places,
        (false, true) => words.to_owned(),
        (false, false) => format!("{words} | {places}"),
    };
    (reason == "Accepted", reason, message)
}

/// Whether anybody enforces it.
pub(in crate::policy) fn programmed(policy: &AtWaypoints, standing: impl Fn(&Target) -> Standing) -> Verdict {
    let bound = policy.targets.iter().any(|target| standing(target).is_bound());
    match (bound, policy.elsewhere.is_some(), policy.policy.dry_run) {
        (false, false, _) => (false, "Pending", "waits for a waypoint of what it names".to_owned()),
        (_, _, true) => (true, "Programmed", "waypoints rehearse it, and say so in their logs".to_owned()),
        (_, _, false) => (true, "Programmed", "waypoints enforce it".to_owned()),
    }
}

fn count(standings: &[(&Target, Standing)], is: fn(&Standing) -> bool) -> usize {
    standings.iter().filter(|(_, standing)| is(standing)).count()
}

fn place((target, standing): &(&Target, Standing)) -> String {
    match standing {
        Standing::Bound => format!("{target} is bound to its waypoint"),
        Standing::NotBound(why) => format!("{target} is not: {why}"),
        Standing::NotFound => format!("{target} does not exist"),
    }
}

impl Standing {
    fn is_bound(&self) -> bool {
        *self == Self::Bound
    }

    fn is_absent(&self) -> bool {
        *self == Self::NotFound
    }
}

/// A status has 32 KiB at most.
const SHOWN: usize = 16;
