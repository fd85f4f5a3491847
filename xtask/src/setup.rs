//! `cargo xtask setup`: makes a Debian machine able to build, test and show Weir.
//!
//! Every other verb calls [`ensure`] for the parts that it needs. What is there already is left alone, so a
//! second run does nothing. Each part says what it found or did, and why.

use anyhow::Result;
use clap::Args;

mod apt;
mod helm;
mod linker;
mod programs;
mod toolchain;

/// Install what is missing: the eBPF toolchain, bpf-linker, cargo-nextest, and the programs that the
/// demo, the tests and the bench run (nginx, redis, iperf3, wrk, tcpdump, ...)
#[derive(Args)]
pub(crate) struct SetupArgs {
    /// Only what `cargo build` needs
    #[arg(long)]
    build_only: bool,
}

/// A part of the set-up that a verb can ask for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// A compiler for the BPF target, and bpf-linker.
    Ebpf,
    /// cargo-nextest.
    Nextest,
    /// Helm, which renders the chart beside us.
    Helm,
    /// nginx, redis and the other real programs that run in pods.
    Programs,
    /// What the bench compares a waypoint with, and asks it with.
    Proxies,
}

/// Runs the verb.
pub(crate) fn run(args: &SetupArgs) -> Result<()> {
    let parts: &[Part] = if args.build_only {
        &[Part::Ebpf]
    } else {
        &[Part::Ebpf, Part::Nextest, Part::Helm, Part::Programs, Part::Proxies]
    };
    ensure(parts)?;
    eprintln!("setup: complete");
    Ok(())
}

/// Installs of `parts` what is missing.
pub(crate) fn ensure(parts: &[Part]) -> Result<()> {
    for part in parts {
        match part {
            Part::Ebpf => {
                let way = toolchain::ensure()?;
                linker::ensure(way)?;
            }
            Part::Nextest => programs::ensure_nextest()?,
            Part::Helm => helm::ensure()?,
            Part::Programs => programs::ensure()?,
            Part::Proxies => programs::ensure_proxies()?,
        }
    }
    Ok(())
}
