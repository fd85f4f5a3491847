//! `cargo xtask bench`: what the mesh costs, in one run, beside a direct connection and any other data plane.
//!
//! Absolute numbers say more about the machine than about Weir, so every load runs through every data plane
//! in turn, several rounds, and the medians are compared. docs/benchmark-method.md tells how to read them.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};

use crate::setup::{self, Part};
use crate::{preflight, release};

mod controller;
mod fire;
mod load;
mod metric;
mod peer;
mod plane;
mod process;
mod report;
mod servers;
mod stats;
mod waypoint;

use load::Load;
use peer::PeerSpec;
use plane::World;
use report::{Conditions, Results};

/// Measure throughput, latency, new connections, CPU and memory: direct, through Weir, and through others
///
/// Takes about three minutes. Needs root. The method is in docs/benchmark-method.md.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    part: Option<BenchPart>,
    /// How often each load runs through each data plane; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Length of one load, seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Only these loads; all if left out
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Load>,
    /// Another data plane: a name, and a script that is called with `up` and `down`
    #[arg(long, value_name = "NAME=SCRIPT")]
    peer: Vec<PeerSpec>,
    /// Let the scheduler place programs, instead of the client's side on CPU 0 and the server's on CPU 1
    #[arg(long)]
    no_pin: bool,
    /// What to print on stdout
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// What is measured in the place of the data plane.
#[derive(Subcommand)]
enum BenchPart {
    Controller(controller::ControllerArgs),
    Fire(fire::FireArgs),
    Waypoint(waypoint::WaypointArgs),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
}

/// Runs the verb. A load that fails is told at the end and makes the run fail; the others still run.
pub(crate) fn run(args: &BenchArgs) -> Result<()> {
    match &args.part {
        Some(BenchPart::Controller(args)) => return controller::run(args),
        Some(BenchPart::Fire(args)) => return fire::run(args),
        Some(BenchPart::Waypoint(args)) => return waypoint::run(args),
        None => {}
    }
    preflight::check("bench")?;
    setup::ensure(&[Part::Ebpf, Part::Programs])?;
    release::ensure()?;
    let pinned = !args.no_pin && std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() >= 2);
    let conditions = conditions(args, pinned);
    warn_if_busy(conditions.load_before, conditions.cpus);
    let world = World::build(&args.peer, pinned)?;
    let results = measure(args, &world);
    let planes: Vec<String> = world.planes().iter().map(|plane| plane.name.clone()).collect();
    match args.output {
        Output::Table => println!("{}\n{}", results.table(&planes), LEGEND),
        Output::Json => println!("{}", results.json(&planes, &conditions, &[])?),
    }
    if !results.failures().is_empty() {
        bail!("not everything could be measured:\n  {}", results.failures().join("\n  "));
    }
    Ok(())
}

/// Rounds outside, data planes inside: what disturbs the machine for a while disturbs all of them.
fn measure(args: &BenchArgs, world: &World) -> Results {
    let mut results = Results::default();
    let length = Duration::from_secs(args.seconds);
    for stage in Load::STAGES {
        let rounds = if stage.repeats { args.rounds } else { 1 };
        for round in 1..=rounds {
            for load in stage.loads.iter().filter(|load| args.only.is_empty() || args.only.contains(load)) {
                for plane in world.planes() {
                    eprintln!("bench: round {round} of {rounds}: {} through {}", load.title(), plane.name);
                    match load.run(plane, length) {
                        Ok(measured) => measured
                            .into_iter()
                            .for_each(|(metric, value)| results.add(&plane.name, metric, value)),
                        Err(error) => results.fail(format!(
                            "{} through {}, round {round}: {error:#}",
                            load.title(),
                            plane.name
                        )),
                    }
                }
            }
        }
    }
    results
}

fn warn_if_busy(load: f64, cpus: usize) {
    if load > BUSY * cpus as f64 {
        eprintln!(
            "bench: the machine is busy (load {load:.1} on {cpus} processors): the numbers will say little"
        );
    }
}

fn conditions(args: &BenchArgs, pinned: bool) -> Conditions {
    Conditions {
        kernel: weir_harness::kernel_release(),
        processor: processor(),
        cpus: cpus(),
        pinned,
        load_before: load_average(),
        rounds: args.rounds,
        seconds_per_load: args.seconds,
    }
}

fn processor() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned())
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Programs that wanted a processor during the last minute; see proc_loadavg(5).
fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

/// Load per processor, from other programs, from which on the reader is warned.
const BUSY: f64 = 0.5;
const LEGEND: &str =
    "Medians. In brackets: the part of direct for rates, what comes on top of direct for latencies.";
