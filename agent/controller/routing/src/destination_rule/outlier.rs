//! Endpoints that fail are left alone for a while.

use weir_proto::l7;

use super::level::At;
use super::spec::OutlierDetection;
use crate::part::Place;
use crate::problem::{Effect, Problems, Reason};
use crate::value::Percent;

/// `None`: no endpoint is ever ejected.
pub(super) fn outlier_detection(
    at: &At<'_, OutlierDetection>,
    problems: &mut Problems,
) -> Option<l7::OutlierDetection> {
    let effect = Effect::Ignored;
    let (part, field) = at.as_ref()?;
    let given = part.get(&Place { field, effect }, problems)?;
    // Reported.
    let _ = given.unknown.report(&Place { field, effect }, problems);
    macro_rules! get {
        ($part:ident, $name:literal) => {
            given.$part.get(&Place { field: &format!("{field}.{}", $name), effect }, problems)
        };
    }
    let split =
        get!(split_external_local_origin_errors, "splitExternalLocalOriginErrors").copied().unwrap_or(false);
    let local = get!(consecutive_local_origin_failures, "consecutiveLocalOriginFailures").copied();
    let old = get!(consecutive_errors, "consecutiveErrors").copied().filter(|old| old.0 > 0);
    let gateway = get!(consecutive_gateway_errors, "consecutiveGatewayErrors").copied();
    let all = get!(consecutive_5xx_errors, "consecutive5xxErrors").copied();
    let interval = get!(interval, "interval").map(|d| d.wire());
    let base_ejection_time = get!(base_ejection_time, "baseEjectionTime").map(|d| d.wire());
    let max_ejection_percent = get!(max_ejection_percent, "maxEjectionPercent").copied();
    let min_health_percent = get!(min_health_percent, "minHealthPercent").copied();
    let codes = get!(outlier_detection_http_error_codes, "outlierDetectionHttpErrorCodes").cloned();
    if old.is_some() {
        let message = "is deprecated; it is taken for consecutiveGatewayErrors, which it became";
        problems.notice(format!("{field}.consecutiveErrors"), message);
    }
    if local.is_some() && !split {
        let path = format!("{field}.consecutiveLocalOriginFailures");
        problems.notice(path, "has no effect without splitExternalLocalOriginErrors");
    }
    let statuses = statuses(codes.as_deref().unwrap_or_default(), field, problems);
    // The deprecated one stood for gateway errors alone.
    let default_5xx = if old.is_some() { 0 } else { DEFAULT_FAILURES };
    Some(l7::OutlierDetection {
        consecutive_5xx: all.map_or(default_5xx, |n| n.0),
        consecutive_gateway_errors: gateway.or(old).map_or(0, |n| n.0),
        consecutive_local_failures: if split { local.map_or(DEFAULT_FAILURES, |n| n.0) } else { 0 },
        split_local_failures: split,
        interval,
        base_ejection_time,
        // 0 is what nobody wrote, in protobuf.
        max_ejection_percent: max_ejection_percent.map(whole).filter(|n| *n > 0).unwrap_or(DEFAULT_PERCENT),
        min_health_percent: min_health_percent.map_or(0, whole),
        error_statuses: statuses,
    })
}

fn whole(percent: Percent) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 0 to 100")]
    let whole = percent.0.round() as u32;
    whole
}

/// As ranges, in order.
fn statuses(codes: &[u32], field: &str, problems: &mut Problems) -> Vec<l7::StatusRange> {
    let mut good = Vec::new();
    for (i, code) in codes.iter().enumerate() {
        match (100..600).contains(code) {
            true => good.push(*code),
            false => {
                let path = format!("{field}.outlierDetectionHttpErrorCodes[{i}]");
                problems.add(path, Reason::Invalid, Effect::Ignored, format!("{code} is not a status"));
            }
        }
    }
    good.sort_unstable();
    good.dedup();
    let mut ranges: Vec<l7::StatusRange> = Vec::new();
    for code in good {
        match ranges.last_mut() {
            Some(range) if range.last + 1 == code => range.last = code,
            _ => ranges.push(l7::StatusRange { first: code, last: code }),
        }
    }
    ranges
}

const DEFAULT_FAILURES: u32 = 5;
const DEFAULT_PERCENT: u32 = 10;
