//! New endpoints get their share little by little.

use weir_proto::l7::{self, load_balancer::Algorithm};

use super::spec::{LoadBalancer, Warmup};
use crate::part::Place;
use crate::problem::{Effect, Problems, Reason};

pub(super) fn warmup(
    given: &LoadBalancer,
    algorithm: &Algorithm,
    field: &str,
    problems: &mut Problems,
) -> Option<l7::Warmup> {
    let effect = Effect::Ignored;
    let (path, old) = (format!("{field}.warmup"), format!("{field}.warmupDurationSecs"));
    let asked = given.warmup.get(&Place { field: &path, effect }, problems).cloned();
    let asked = asked.or_else(|| {
        let duration = given.warmup_duration_secs.get(&Place { field: &old, effect }, problems).copied()?;
        problems.notice(&old, "is deprecated; warmup is its name now");
        Some(Warmup { duration: Some(duration), ..Warmup::default() })
    })?;
    let mut wrong = |reason, message: &str| {
        problems.add(&path, reason, effect, message);
        None
    };
    if !matches!(algorithm, Algorithm::RoundRobin(_) | Algorithm::LeastRequest(_)) {
        return wrong(Reason::UnsupportedValue, "is for ROUND_ROBIN and LEAST_REQUEST only");
    }
    let Some(duration) = asked.duration.filter(|duration| !duration.0.is_zero()) else {
        return wrong(Reason::Invalid, "duration is missing");
    };
    let aggression = asked.aggression.unwrap_or(1.0);
    if !(1.0..=1000.0).contains(&aggression) {
        return wrong(Reason::Invalid, "aggression must be 1 to 1000");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both are in bounds")]
    let (minimum_percent, aggression_permille) =
        (asked.minimum_percent.map_or(10, |p| p.0.round() as u32), (aggression * 1000.0).round() as u32);
    Some(l7::Warmup { duration: Some(duration.wire()), minimum_percent, aggression_permille })
}
