//! `cargo xtask bench controller`: what a mesh of a size costs its controller and its agents.
//!
//! The work is done by `weir-crowd` (tests/bench), once per size and source in a process of its own; here its numbers become
//! a table, and are held against what was promised.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::report::{Results, human};
use super::{Output, cpus, load_average, processor, warn_if_busy};
use crate::release;

mod goals;
mod rows;

/// Measure the controller with 1,000, 10,000 and 100,000 pods: memory, first answers, changes, and an agent's memory
///
/// The controller is the released one. Its pods are objects only: a Kubernetes API in another process has them, or a
/// directory of YAML. Its agents are streams over TLS with tokens, which count what they get. Takes about three minutes, and
/// needs no root. The method, and what each row is, is in docs/benchmark-method.md.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
cargo xtask bench controller --quick                     a first look, under a minute\n  \
cargo xtask bench controller --source kubernetes,directory --pods 1000,10000\n  \
cargo xtask bench controller --pods 100000 --agents 500  one size, more agents\n  \
cargo xtask bench controller --output json > scale.json  the same as JSON, goals included")]
pub(super) struct ControllerArgs {
    /// Sizes of the mesh; there are 100 pods on a node and 20 behind a service
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000", value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pods: Vec<u32>,
    /// Agents that are connected, each with a stream of its own
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    agents: u32,
    /// Pod changes, one after the other, for each way to subscribe
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    changes: u32,
    /// Where the controller reads the mesh from, one or both
    #[arg(long, value_enum, value_delimiter = ',', default_value = "kubernetes")]
    source: Vec<Source>,
    /// 1,000 and 10,000 pods in a Kubernetes API and 50 changes: under a minute
    #[arg(long, conflicts_with_all = ["pods", "changes", "source"])]
    quick: bool,
    /// What to print on stdout
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
enum Source {
    /// A Kubernetes API
    Kubernetes,
    /// A directory of YAML, with a file for each service; it is for one machine, and not meant for 100,000 pods
    Directory,
}

/// One run of the crowd, and one column of the table.
#[derive(Clone, Debug)]
struct Column {
    source: Source,
    pods: u32,
}

impl Column {
    fn title(&self) -> String {
        let pods = human(f64::from(self.pods));
        match self.source {
            Source::Kubernetes => format!("{pods} pods"),
            Source::Directory => format!("{pods} in files"),
        }
    }
}

/// Under what the numbers were measured.
#[derive(Serialize)]
struct Conditions {
    kernel: String,
    processor: String,
    cpus: usize,
    load_before: f64,
    agents: u32,
    changes: u32,
}

/// Runs the verb. A size that cannot be measured is told at the end and makes the run fail; a missed goal does not.
pub(super) fn run(args: &ControllerArgs) -> Result<()> {
    let [controller, crowd] = release::controller_and_crowd()?;
    let changes = if args.quick { QUICK_CHANGES } else { args.changes };
    let conditions = Conditions {
        kernel: weir_harness::kernel_release(),
        processor: processor(),
        cpus: cpus(),
        load_before: load_average(),
        agents: args.agents,
        changes,
    };
    warn_if_busy(conditions.load_before, conditions.cpus);
    let columns = columns(args);
    let mut results = Results::default();
    for column in &columns {
        let (mut numbers, mut failed) = (BTreeMap::new(), None);
        match measure(&crowd, &controller, column, args.agents, changes) {
            Ok(measured) => numbers = measured,
            Err(error) => failed = Some(format!("{}: {error:#}", column.title())),
        }
        for (metric, value) in rows::known(&numbers) {
            results.add(&column.title(), metric, value);
        }
        failed.into_iter().for_each(|failure| results.fail(failure));
    }
    let goals = goals::judge(&results, &columns, args.agents);
    let titles: Vec<String> = columns.iter().map(Column::title).collect();
    match args.output {
        Output::Table => {
            println!("{}\n", results.table(&titles));
            goals.iter().for_each(|goal| println!("{goal}"));
        }
        Output::Json => println!("{}", results.json(&titles, &conditions, &goals)?),
    }
    if !results.failures().is_empty() {
        bail!("not everything could be measured:\n  {}", results.failures().join("\n  "));
    }
    Ok(())
}

/// Sizes in order, those of one source side by side.
fn columns(args: &ControllerArgs) -> Vec<Column> {
    if args.quick {
        return QUICK_PODS.map(|pods| Column { source: Source::Kubernetes, pods }).to_vec();
    }
    let mut pods = args.pods.clone();
    pods.sort_unstable();
    pods.dedup();
    let of = |source: &Source| pods.iter().map(|&pods| Column { source: *source, pods }).collect::<Vec<_>>();
    let mut sources = args.source.clone();
    sources.dedup();
    sources.iter().flat_map(of).collect()
}

/// Numbers by name, as `weir-crowd measure` prints them. Its progress goes to our stderr.
fn measure(
    crowd: &Path,
    controller: &Path,
    column: &Column,
    agents: u32,
    changes: u32,
) -> Result<BTreeMap<String, f64>> {
    let source =
        column.source.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let child = Command::new(crowd)
        .arg("measure")
        .arg("--controller")
        .arg(controller)
        .args(["--source", &source])
        .args(["--pods", &column.pods.to_string()])
        .args(["--agents", &agents.to_string()])
        .args(["--changes", &changes.to_string()])
        // It ends, and cleans up, when this end is gone: also if we are killed.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", crowd.display()))?;
    let mut child = child;
    let held = child.stdin.take();
    let output = child.wait_with_output().context("lost weir-crowd")?;
    drop(held);
    if !output.status.success() {
        bail!("weir-crowd failed ({}); it said why above", output.status);
    }
    serde_json::from_slice(&output.stdout).context("weir-crowd printed something else than numbers")
}

const QUICK_PODS: [u32; 2] = [1000, 10_000];
const QUICK_CHANGES: u32 = 50;
