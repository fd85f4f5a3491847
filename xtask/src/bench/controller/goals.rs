//! What issue 3 promises, held against what was measured. The promises are for a Kubernetes API as the source: a directory
//! waits until its files stand still.

use super::super::metric::Metric;
use super::super::report::{Bound, Goal, Results};
use super::rows::{CHANGE_CPU, CHANGE_P99, CHANGE_WIRE, DEMAND_P99, PEAK, REAL_BYTES};
use super::{Column, Source};

/// Of each promise the size at which it fares worst.
pub(super) fn judge(results: &Results, columns: &[Column], agents: u32) -> Vec<Goal> {
    let ours: Vec<&Column> = columns.iter().filter(|column| column.source == Source::Kubernetes).collect();
    let measured = |metric: Metric, least: u32| {
        let sizes = ours.iter().filter(move |column| column.pods >= least);
        sizes.filter_map(move |column| Some((*column, results.value(metric, &column.title())?)))
    };
    let worst = |metric: Metric, least: u32, what: &str, below: f64| {
        let (column, value) = measured(metric, least).max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(goal(format!("{what} ({})", column.title()), value, below, metric.unit))
    };
    let flat = || {
        let mut costs = measured(CHANGE_CPU, 0);
        let (small, first) = costs.next()?;
        let (large, last) = costs.next_back()?;
        let what = format!("CPU of a pod change, {} beside {}", large.title(), small.title());
        (first > 0.0).then(|| goal(what, last / first, FLAT, "times"))
    };
    let change = format!("one pod change to {agents} agents, p99");
    [
        worst(PEAK, 0, "memory of the controller at most", MEMORY_MIB),
        worst(CHANGE_P99, 0, &change, CHANGE_MS),
        worst(DEMAND_P99, 0, &format!("{change}, on demand"), CHANGE_MS),
        worst(CHANGE_WIRE, 0, "one pod change to one agent, on the wire", CHANGE_BYTES),
        flat(),
        worst(REAL_BYTES, COUNTS_FROM, "memory of an agent per workload", AGENT_BYTES),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn goal(what: String, value: f64, below: f64, unit: &'static str) -> Goal {
    Goal::new(what, value, Bound::Below(below), unit)
}

const MEMORY_MIB: f64 = 1536.0;
const CHANGE_MS: f64 = 50.0;
const CHANGE_BYTES: f64 = 1024.0;
/// Trees get deeper and caches colder; a cost that grows with the mesh would be a hundred times.
const FLAT: f64 = 2.0;
const AGENT_BYTES: f64 = 1024.0;
/// In a smaller mesh an agent's memory is its connection, whatever is on it.
const COUNTS_FROM: u32 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn column(source: Source, pods: u32) -> Column {
        Column { source, pods }
    }

    #[test]
    fn the_worst_size_counts_and_a_directory_does_not() {
        let columns = [
            column(Source::Kubernetes, 1000),
            column(Source::Kubernetes, 100_000),
            column(Source::Directory, 1000),
        ];
        let mut results = Results::default();
        for (column, p99, cpu) in
            [(&columns[0], 60.0, 300.0), (&columns[1], 20.0, 450.0), (&columns[2], 900.0, 9.0)]
        {
            results.add(&column.title(), CHANGE_P99, p99);
            results.add(&column.title(), CHANGE_CPU, cpu);
        }
        results.add(&columns[0].title(), REAL_BYTES, 5000.0);
        let goals: Vec<String> = judge(&results, &columns, 100).iter().map(ToString::to_string).collect();
        assert_eq!(
            goals,
            [
                "MISSED  one pod change to 100 agents, p99 (1,000 pods): 60.0 ms, wanted below 50.0 ms",
                "ok      CPU of a pod change, 100,000 pods beside 1,000 pods: 1.50 times, wanted below 2.00 times",
            ]
        );
    }

    #[test]
    fn one_size_has_nothing_to_be_flat_beside() {
        let columns = [column(Source::Kubernetes, 1000)];
        let mut results = Results::default();
        results.add(&columns[0].title(), CHANGE_CPU, 300.0);
        assert_eq!(judge(&results, &columns, 100), []);
    }
}
