//! `cargo xtask bench fire`: routes, subsets and endpoints change ten times a second while they are used.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use weir_harness::{Bookinfo, Cluster, Fire};

use crate::setup::{self, Part};
use crate::{preflight, release};

/// Change a service's routes, subsets and endpoints ten times a second under load: what fails, how long a change takes, what is kept
///
/// Bookinfo on two nodes behind a waypoint, with the real controller and agents. Every change is a whole VirtualService and
/// DestinationRule, so no request may fail; the run fails if one does. Needs root.
#[derive(Args)]
pub(super) struct FireArgs {
    /// For how long, after a warm-up of a fifth of it
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=86_400))]
    seconds: u64,
    /// Between two changes, milliseconds
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    every: u64,
    /// Connections that ask without a pause
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
}

pub(super) fn run(args: &FireArgs) -> Result<()> {
    preflight::check("bench")?;
    setup::ensure(&[Part::Ebpf, Part::Programs])?;
    release::ensure()?;
    let cluster = Cluster::builder("fire").controlled().build()?;
    let book = Bookinfo::start(&cluster)?;
    eprintln!("bench: a change every {} ms for {} s", args.every, args.seconds);
    let fire = Fire {
        length: Duration::from_secs(args.seconds),
        every: Duration::from_millis(args.every),
        connections: args.connections.into(),
    };
    let report = book.fire(&cluster, fire)?;
    cluster.end()?;
    println!("{report}");
    if !report.failures.is_empty() {
        bail!("requests have failed that the configuration did not ask for");
    }
    Ok(())
}
