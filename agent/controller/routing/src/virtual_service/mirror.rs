//! Copies of requests.

use weir_proto::l7;

use super::Context;
use super::destination::backend;
use super::spec::{Destination, HttpRoute, Percentage};
use crate::part::Place;
use crate::problem::{Effect, Problems, Reason};
use crate::value::per_million;

/// `None`: nothing is said. A destination that is not there gets no copies.
pub(super) fn mirrors(
    context: &Context<'_>,
    route: &HttpRoute,
    rule: &str,
    problems: &mut Problems,
) -> Option<Vec<l7::Mirror>> {
    if !route.mirror.is_there() && !route.mirrors.is_there() {
        return None;
    }
    let effect = Effect::Ignored;
    let mut all = Vec::new();
    let mut add = |destination: &Destination, per_million, field: &str, problems: &mut Problems| {
        let backend = backend(context, destination, field, effect, problems);
        all.extend(backend.ok().map(|backend| l7::Mirror { backend: Some(backend), per_million }));
    };
    let field = format!("{rule}.mirrors");
    if let Some(mirrors) = route.mirrors.get(&Place { field: &field, effect }, problems) {
        for (i, mirror) in mirrors.iter().enumerate() {
            let field = format!("{field}[{i}].destination");
            add(&mirror.destination, share(mirror.percentage), &field, problems);
        }
        if route.mirror.is_there() {
            let message = "mirror and mirrors exclude each other; mirrors counts";
            problems.add(format!("{rule}.mirror"), Reason::Invalid, effect, message);
        }
        return Some(all);
    }
    let field = format!("{rule}.mirror");
    if let Some(destination) = route.mirror.get(&Place { field: &field, effect }, problems) {
        let per_million = single(route, rule, problems);
        add(destination, per_million, &field, problems);
    }
    Some(all)
}

/// The share of the single mirror; not said: all.
fn single(route: &HttpRoute, rule: &str, problems: &mut Problems) -> u32 {
    let (field, old) = (format!("{rule}.mirrorPercentage"), format!("{rule}.mirrorPercent"));
    let effect = Effect::Ignored;
    let percentage = route.mirror_percentage.get(&Place { field: &field, effect }, problems).copied();
    let percent = route.mirror_percent.get(&Place { field: &old, effect }, problems).copied();
    match (percentage, percent) {
        (None, Some(percent)) => {
            problems.notice(old, "is deprecated; mirrorPercentage is its name now");
            per_million(percent)
        }
        (percentage, _) => share(percentage),
    }
}

fn share(percentage: Option<Percentage>) -> u32 {
    percentage.map_or(ALL, |percentage| per_million(percentage.value))
}

const ALL: u32 = 1_000_000;
