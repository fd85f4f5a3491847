//! The rows of the table, in their order. docs/benchmark-method.md says how each is measured.

use std::collections::BTreeMap;

use super::super::metric::{Measured, Metric, alone};

/// The numbers that are rows.
pub(super) fn known(numbers: &BTreeMap<String, f64>) -> impl Iterator<Item = Measured> {
    ROWS.iter().filter_map(|row| numbers.get(row.name).map(|value| (*row, *value)))
}

pub(super) const PEAK: Metric = alone("peak_mib", "  at most, over the whole run", "MiB");
pub(super) const CHANGE_P99: Metric = alone("change_p99_ms", "  p99", "ms");
pub(super) const CHANGE_WIRE: Metric =
    alone("change_wire_bytes", "  of each agent, both ways, with TLS and HTTP/2", "B");
pub(super) const CHANGE_CPU: Metric =
    alone("change_cpu_us", "one pod change to 1 agent: controller's CPU", "us");
pub(super) const DEMAND_P99: Metric = alone("demand_p99_ms", "  p99", "ms");
pub(super) const REAL_BYTES: Metric = alone("real_bytes", "  per workload", "B");

const ROWS: &[Metric] = &[
    alone("ready_s", "start until the whole mesh is served", "s"),
    alone("ready_cpu_s", "  controller's CPU", "s"),
    alone("start_mib", "memory of the controller, without agents", "MiB"),
    alone("agents_mib", "  with all agents", "MiB"),
    alone("agent_kib", "  per agent", "KiB"),
    PEAK,
    alone("sync_all_s", "first answer to all agents at once, the last one", "s"),
    alone("sync_bytes", "  of each agent, messages", "B"),
    alone("sync_cpu_ms", "  controller's CPU per agent", "ms"),
    CHANGE_CPU,
    alone("change_p50_ms", "one pod change until all agents have it, p50", "ms"),
    CHANGE_P99,
    alone("change_first_ms", "  until the first agent has it, p50", "ms"),
    alone("change_source_ms", "  of that, the source: API or files, mean", "ms"),
    alone("collected_ms", "  of that, waiting for more changes, mean", "ms"),
    alone("change_message_bytes", "  of each agent, message", "B"),
    CHANGE_WIRE,
    alone("change_all_cpu_us", "  controller's CPU, all agents", "us"),
    alone("demand_sync_s", "on demand: first answer to all agents", "s"),
    alone("demand_sync_bytes", "  of each agent, messages", "B"),
    alone("demand_p50_ms", "  one pod change until all agents have it, p50", "ms"),
    DEMAND_P99,
    alone("real_sync_s", "a real agent: until it knows the whole mesh", "s"),
    alone("real_mib", "  memory of the process", "MiB"),
    REAL_BYTES,
];
