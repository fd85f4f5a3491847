//! Strangers on every port of the real controller, while a mesh lives from it: agents are served, memory is bounded.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use weir_harness::{Cluster, Family, Pod, Process};

use crate::faults::Steady;
use crate::policy::policy_for;
use crate::support::{mesh, stories};

stories! {
    fn strangers_on_every_port(c = Cluster::builder("hostile").controller_args(&["--admission", "[::]:15017"])) {
        let m = mesh(c)?;
        c.set_strict(true)?;
        let kept = Steady::start(&m.client, &m.server, &["--timeout", "5000"])?;
        let strangers = [c.node("a").pod("stranger").unknown().start()?, c.node("a").pod("other").unknown().start()?];
        let process = c.controller().current()?.pid();
        for (port, attacks) in [
            (15012, &["garbage 4", "plaintext 2", "half-handshake 2000", "tls-silent 50"][..]),
            (15012, &["rapid-reset 2", "continuation 2", "header-bomb 2", "slow-preface 50"]),
            (15012, &["settings 2", "ping 2", "noise 2", "silent 2000"]),
            (15012, &["tokens 4", "streams 4", "churn 2"]),
            (15014, &["garbage 2", "slow-head 100", "huge-head 2", "methods 2", "huge-body 2", "unread 8"]),
            (15017, &["plaintext 2", "half-handshake 500", "reviews 4", "slow-body 50", "tls-silent 50"]),
        ] {
            let at = SocketAddr::from((c.node("a").ip(Family::V4), port));
            let crowd = attacks.iter().zip(strangers.iter().cycle());
            let crowd = crowd.map(|(attack, stranger)| attacker(stranger, at, attack)).collect::<Result<Vec<_>>>()?;
            let mut slowest = Duration::ZERO;
            while crowd.iter().any(Process::alive) {
                let took = live(c, &m.client, &m.server).with_context(|| format!("under {attacks:?} on port {port}"))?;
                slowest = slowest.max(took);
            }
            for attacker in crowd {
                ensure!(attacker.wait(Duration::from_secs(20))?.success(), "{}", attacker.log());
            }
            let memory = resident(process).with_context(|| format!("after {attacks:?} on port {port}"))?;
            println!("port {port}, {attacks:?}: {memory} MiB, a change took {slowest:?} at most");
            ensure!(memory < 500, "{memory} MiB after {attacks:?} on port {port}");
        }
        ensure!(c.controller().current()?.pid() == process && c.controller().running(), "it was started again");
        m.outside.fail(m.server.at(Family::V4, 8080), &[])?;
        kept.unharmed()?;
    }

    fn an_agent_finds_its_way_through_a_crowd(c = Cluster::builder("crowd").controlled()) {
        let m = mesh(c)?;
        let stranger = c.node("a").pod("stranger").unknown().start()?;
        let crowd = ["half-handshake 3000", "tls-silent 200", "churn 4", "tokens 2"]
            .map(|attack| attacker_for(&stranger, (c.node("a").ip(Family::V4), 15012).into(), attack, "30"));
        c.node("b").agent().kill()?;
        c.up()?;
        m.client.reach(m.server.at(Family::V4, 8080), &[])?;
        c.controller().kill()?;
        c.up()?;
        live(c, &m.client, &m.server)?;
        for attacker in crowd {
            attacker?.kill()?;
        }
    }
}

/// The mesh goes on: a policy that denies and one that does not, one after the other, have their effect. Gives how long the
/// slower of them took to reach all agents.
fn live(c: &Cluster, client: &Pod, server: &Pod) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    for denied in [true, false] {
        let start = Instant::now();
        match denied {
            true => c.apply(
                "change",
                &policy_for("server", "not-9090", "DENY", "[{to: [{operation: {ports: ['9090']}}]}]"),
            )?,
            false => c.delete("change")?,
        }
        slowest = slowest.max(start.elapsed());
        client.reach(server.at(Family::V4, 8080), &[])?;
    }
    ensure!(slowest < Duration::from_secs(10), "a change took {slowest:?}");
    Ok(slowest)
}

fn attacker(stranger: &Pod, at: SocketAddr, attack: &str) -> Result<Process> {
    attacker_for(stranger, at, attack, "1.5")
}

/// `attack` is its name and the number of connections.
fn attacker_for(stranger: &Pod, at: SocketAddr, attack: &str, seconds: &str) -> Result<Process> {
    let (name, count) = attack.split_once(' ').context("an attack and a number")?;
    let at = at.to_string();
    stranger.spawn(
        env!("CARGO_BIN_EXE_weir-hostile"),
        &["--at", &at, name, "--connections", count, "--seconds", seconds],
    )
}

/// MiB.
pub(crate) fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? / 1024)
}
