//! `cargo xtask demo`: two nodes on this machine, unmodified programs in their pods, and the mesh
//! between them, with a check and its evidence for each thing that it promises.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

mod bookinfo;
mod checks;
mod outage;
mod policy;
mod report;
mod stage;

use crate::preflight;
use crate::release;
use crate::setup::{self, Part};
use report::Report;
use stage::Stage;

/// Show the mesh at work on this machine: two nodes, real programs, and a check for each promise
#[derive(Args)]
pub(crate) struct DemoArgs {
    /// What to print at the end; progress goes to stderr
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
    /// Leave everything running, and print how to enter each pod
    #[arg(long)]
    keep: bool,
    /// Remove what an earlier `--keep` left running, and do nothing else
    #[arg(long, conflicts_with = "keep")]
    down: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A table for people
    Table,
    /// One object: `{"checks": [{"name", "ok", "evidence"}]}`
    Json,
}

/// Runs the verb. An error when a promise does not hold, so the exit status is 0 only if all do.
pub(crate) fn run(args: &DemoArgs) -> Result<()> {
    if args.down {
        return down();
    }
    preflight::check("demo")?;
    setup::ensure(&[Part::Ebpf, Part::Programs])?;
    release::ensure()?;
    let mut report = Report::default();
    let mut stage = Stage::set_up()?;
    checks::run(&stage, &mut report);
    bookinfo::run(&stage.cluster, &mut report);
    match args.output {
        Output::Table => println!("{}", report.table()),
        Output::Json => println!("{}", report.json()?),
    }
    if args.keep {
        stage.cluster.keep()?;
        eprint!("{}", stage.instructions());
    } else {
        stage.cluster.end()?;
        eprintln!("demo: everything is removed again");
    }
    let failed = report.failed();
    if !failed.is_empty() {
        bail!("{} of {} checks failed: {}", failed.len(), report.len(), failed.join(", "));
    }
    Ok(())
}

fn down() -> Result<()> {
    let kept = weir_harness::kept_runs()?;
    for id in &kept {
        weir_harness::tear_down(id)?;
        eprintln!("demo: {id} is removed");
    }
    if kept.is_empty() {
        eprintln!("demo: nothing was left running");
    }
    Ok(())
}
