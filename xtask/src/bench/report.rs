//! The result: a table for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::metric::{Compare, Metric};
use super::stats::Summary;

mod number;

pub(super) use number::human;

/// Everything that was measured so far.
#[derive(Default)]
pub(super) struct Results {
    /// In the order in which they were first measured.
    metrics: Vec<Metric>,
    values: BTreeMap<(&'static str, String), Vec<f64>>,
    failures: Vec<String>,
}

impl Results {
    /// Takes one measurement.
    pub(super) fn add(&mut self, plane: &str, metric: Metric, value: f64) {
        if !self.metrics.contains(&metric) {
            self.metrics.push(metric);
        }
        self.values.entry((metric.name, plane.to_owned())).or_default().push(value);
    }

    /// Takes a load that could not be measured.
    pub(super) fn fail(&mut self, failure: String) {
        self.failures.push(failure);
    }

    /// What failed, if anything.
    pub(super) fn failures(&self) -> &[String] {
        &self.failures
    }

    fn summary(&self, metric: Metric, plane: &str) -> Option<Summary> {
        Summary::of(self.values.get(&(metric.name, plane.to_owned()))?)
    }

    /// A line per metric, a column per data plane; the first plane is what the others are compared with.
    pub(super) fn table(&self, planes: &[String]) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        let titles = ["", "unit"].map(str::to_owned);
        table.set_header(titles.into_iter().chain(planes.iter().cloned()));
        for metric in &self.metrics {
            let cells = planes.iter().map(|plane| self.cell(*metric, plane, &planes[0]));
            table.add_row([metric.title.to_owned(), metric.unit.to_owned()].into_iter().chain(cells));
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.to_string()
    }

    fn cell(&self, metric: Metric, plane: &str, base: &str) -> String {
        let Some(summary) = self.summary(metric, plane) else {
            return "-".to_owned();
        };
        let number = human(summary.median);
        let base = if plane == base { None } else { self.summary(metric, base) };
        match (metric.compare, base) {
            (Compare::Ratio, Some(base)) if base.median > 0.0 => {
                format!("{number} ({:.2})", summary.median / base.median)
            }
            (Compare::Difference, Some(base)) => {
                format!("{number} ({:+.0})", summary.median - base.median)
            }
            _ => number,
        }
    }

    /// The same as one JSON object.
    pub(super) fn json(
        &self,
        planes: &[String],
        conditions: &impl Serialize,
        goals: &[Goal],
    ) -> serde_json::Result<String> {
        let rows = self.metrics.iter().map(|metric| self.row(*metric, planes)).collect();
        let failures = &self.failures;
        serde_json::to_string_pretty(&Document { conditions, planes, rows, goals, failures })
    }

    /// One number, if it was measured.
    pub(super) fn value(&self, metric: Metric, plane: &str) -> Option<f64> {
        self.summary(metric, plane).map(|summary| summary.median)
    }

    fn row(&self, metric: Metric, planes: &[String]) -> Row {
        let base = planes.first().and_then(|plane| self.summary(metric, plane)).map(|summary| summary.median);
        let values = planes.iter().filter_map(|plane| {
            let summary = self.summary(metric, plane)?;
            let own = *plane == planes[0];
            let compared = match (metric.compare, base.filter(|_| !own)) {
                (Compare::Ratio, Some(base)) if base > 0.0 => Some(summary.median / base),
                (Compare::Difference, Some(base)) => Some(summary.median - base),
                _ => None,
            };
            Some((plane.clone(), Value { summary, compared }))
        });
        Row { name: metric.name, unit: metric.unit, compare: metric.compare, values: values.collect() }
    }
}

/// Under what the numbers were measured; without it they mean nothing.
#[derive(Serialize)]
pub(super) struct Conditions {
    pub(super) kernel: String,
    pub(super) processor: String,
    pub(super) cpus: usize,
    pub(super) pinned: bool,
    /// Load average before the first load: above a fraction of the processors, others disturbed the run.
    pub(super) load_before: f64,
    pub(super) rounds: u32,
    pub(super) seconds_per_load: u64,
}

/// Something that was promised, and whether it holds.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Goal {
    pub(super) what: String,
    pub(super) value: f64,
    #[serde(flatten)]
    pub(super) bound: Bound,
    pub(super) unit: &'static str,
    pub(super) ok: bool,
}

/// Where a value must lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Bound {
    Below(f64),
    AtLeast(f64),
}

impl Goal {
    /// Judges a value.
    pub(super) fn new(what: String, value: f64, bound: Bound, unit: &'static str) -> Self {
        let ok = match bound {
            Bound::Below(bound) => value < bound,
            Bound::AtLeast(bound) => value >= bound,
        };
        Self { what, value, bound, unit, ok }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.ok { "ok    " } else { "MISSED" };
        let (word, bound) = match self.bound {
            Bound::Below(bound) => ("below", bound),
            Bound::AtLeast(bound) => ("at least", bound),
        };
        let (value, bound, unit) = (human(self.value), human(bound), self.unit);
        write!(f, "{mark}  {}: {value} {unit}, wanted {word} {bound} {unit}", self.what)
    }
}

#[derive(Serialize)]
struct Document<'a, C> {
    conditions: &'a C,
    planes: &'a [String],
    rows: Vec<Row>,
    #[serde(skip_serializing_if = "<[Goal]>::is_empty")]
    goals: &'a [Goal],
    failures: &'a [String],
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    unit: &'static str,
    compare: Compare,
    /// By data plane.
    values: BTreeMap<String, Value>,
}

#[derive(Serialize)]
struct Value {
    #[serde(flatten)]
    summary: Summary,
    /// A ratio or a difference, as `compare` of the row says.
    #[serde(skip_serializing_if = "Option::is_none")]
    compared: Option<f64>,
}

#[cfg(test)]
mod tests;
