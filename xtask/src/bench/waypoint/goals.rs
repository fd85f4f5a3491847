//! What issue 4 promises, held against what was measured: HTTP/1.1 on 32 connections.

use super::super::metric::Metric;
use super::super::report::{Bound, Goal, Results};
use super::proxy::Kind;
use super::rows::{MANY, RSS_IDLE, Routes};

/// Those that were measured.
pub(super) fn judge(results: &Results) -> Vec<Goal> {
    let value = |metric: Metric, kind: Kind| results.value(metric, kind.name());
    let per_cpu = |kind: Kind| value(Routes::One.rows(MANY).per_cpu, kind);
    let beside = |other: Kind, least: f64| {
        let ratio = per_cpu(Kind::Weir)? / per_cpu(other)?;
        let what = format!("requests per CPU second beside {}", other.name());
        Some(Goal::new(what, ratio, Bound::AtLeast(least), "times"))
    };
    let growth = |kind: Kind| {
        let cost = |routes: Routes| value(routes.rows(MANY).cpu, kind);
        Some(cost(Routes::TenThousand)? / cost(Routes::Hundred).or_else(|| cost(Routes::One))?)
    };
    let flat = || {
        let (ours, others) =
            (growth(Kind::Weir)?, [Kind::Nginx, Kind::Haproxy].into_iter().filter_map(growth));
        let what = "CPU of a request, 10,000 routes beside fewer".to_owned();
        Some(match others.reduce(f64::min) {
            // What 10,000 different paths cost anybody's caches is nobody's lookup.
            Some(least) => Goal::new(
                format!("{what}, beside the flattest peer's"),
                ours / least,
                Bound::Below(FLAT),
                "times",
            ),
            None => Goal::new(what, ours, Bound::Below(FLAT), "times"),
        })
    };
    let idle = || {
        let what = "memory per idle client".to_owned();
        Some(Goal::new(what, value(RSS_IDLE, Kind::Weir)?, Bound::Below(IDLE_KIB), RSS_IDLE.unit))
    };
    let goals = [beside(Kind::Nginx, OF_NGINX), beside(Kind::Envoy, OF_ENVOY), flat(), idle()];
    goals.into_iter().flatten().collect()
}

const OF_NGINX: f64 = 0.6;
const OF_ENVOY: f64 = 1.5;
const FLAT: f64 = 1.1;
const IDLE_KIB: f64 = 50.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_judged_by_what_was_measured() {
        let mut results = Results::default();
        for (kind, rate) in [(Kind::Nginx, 50_000.0), (Kind::Weir, 40_000.0), (Kind::Envoy, 30_000.0)] {
            results.add(kind.name(), Routes::One.rows(MANY).per_cpu, rate);
        }
        for (routes, cost) in [(Routes::One, 9.0), (Routes::Hundred, 0.025), (Routes::TenThousand, 0.026)] {
            results.add("weir", routes.rows(MANY).cpu, cost);
        }
        let goals: Vec<String> = judge(&results).iter().map(ToString::to_string).collect();
        assert_eq!(
            goals,
            [
                "ok      requests per CPU second beside nginx: 0.800 times, wanted at least 0.600 times",
                "MISSED  requests per CPU second beside envoy: 1.33 times, wanted at least 1.50 times",
                "ok      CPU of a request, 10,000 routes beside fewer: 1.04 times, wanted below 1.10 times",
            ]
        );
    }

    /// Ours grows by 1.2; the least that another's does is 1.05.
    #[test]
    fn growth_is_judged_beside_the_flattest_peer() {
        let mut results = Results::default();
        for (kind, few, many) in
            [(Kind::Weir, 10.0, 12.0), (Kind::Nginx, 10.0, 13.0), (Kind::Haproxy, 20.0, 21.0)]
        {
            results.add(kind.name(), Routes::Hundred.rows(MANY).cpu, few);
            results.add(kind.name(), Routes::TenThousand.rows(MANY).cpu, many);
        }
        let goals: Vec<String> = judge(&results).iter().map(ToString::to_string).collect();
        let expected = "MISSED  CPU of a request, 10,000 routes beside fewer, beside the flattest peer's: 1.14 times, wanted below 1.10 times";
        assert_eq!(goals, [expected]);
    }
}
