//! A new root while the controller and agents are killed in each of its phases: nobody is left with half of the roots.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use weir_harness::{Cluster, Family, until_ok};

use crate::faults::Steady;
use crate::support::{Mesh, mesh, stories};

/// Certificates, and each phase of the rotation, live so long.
const LIFE: &str = "6s";

stories! {
    fn the_controller_dies_in_every_phase(c = Cluster::builder("rotate-c").controller_args(&["--max-cert-lifetime", LIFE, "--rotation-overlap", LIFE]).agent_args(&["--cert-lifetime", LIFE])) {
        rotate(c, |c| {
            c.controller().kill()?;
            c.up()
        }, true)?;
    }

    fn an_agent_and_the_controller_die_in_every_phase(c = Cluster::builder("rotate-cb").controller_args(&["--max-cert-lifetime", LIFE, "--rotation-overlap", LIFE]).agent_args(&["--cert-lifetime", LIFE])) {
        rotate(c, |c| {
            c.node("b").agent().kill()?;
            c.controller().kill()?;
            c.up()
        }, false)?;
    }
}

/// Rotates the root and lets `accident` happen in each phase. `unharmed`: connections live through it; else those that are made
/// after it do, to the end of the phase.
fn rotate(c: &Cluster, accident: impl Fn(&Cluster) -> Result<()>, unharmed: bool) -> Result<()> {
    let m = mesh(c)?;
    c.set_strict(true)?;
    let before = roots(c)?;
    let all = Steady::start(&m.client, &m.server, &["--timeout", "5000"])?;
    let all = if unharmed {
        Some(all)
    } else {
        all.end()?;
        None
    };
    accident(c)?;
    let state = c.controller().state_dir().to_string_lossy().into_owned();
    c.controller().command(&["rotate-root", "--state-dir", &state])?;
    // Announced, switched, and stable again: what the directory shows of each.
    for (phase, count, old, switched) in
        [("announced", 2, true, false), ("switched", 2, true, true), ("stable", 1, false, true)]
    {
        until_ok(&format!("the root to be {phase}"), Duration::from_secs(40), || {
            let (now, signs) =
                (roots(c)?, fs::read_to_string(c.controller().state_dir().join("ca/ca-cert.pem"))?);
            ensure!(now.matches("BEGIN CERTIFICATE").count() == count, "{now}");
            ensure!(
                now.contains(before.trim()) == old && before.contains(signs.trim()) != switched,
                "{now}\nsigns: {signs}"
            );
            Ok(())
        })?;
        accident(c)?;
        all_speak(&m)?;
        let kept = Steady::start(&m.client, &m.server, &["--timeout", "5000"])?;
        let back = Steady::start(&m.server, &m.neighbour, &["--timeout", "5000"])?;
        // Until every certificate that there was has been replaced.
        let serial = |node: &str| -> Result<String> {
            Ok(c.node(node).agent().config_dump()?["certificates"].to_string())
        };
        let known = [serial("a")?, serial("b")?];
        until_ok("certificates to be renewed", Duration::from_secs(20), || {
            ensure!(known[0] != serial("a")? && known[1] != serial("b")?, "they are the same");
            Ok(())
        })?;
        all_speak(&m)?;
        kept.unharmed()?;
        back.unharmed()?;
    }
    all_speak(&m)?;
    all.map_or(Ok(()), Steady::unharmed)
}

fn all_speak(m: &Mesh) -> Result<()> {
    for (from, to) in
        [(&m.client, &m.server), (&m.server, &m.client), (&m.server, &m.neighbour), (&m.client, &m.neighbour)]
    {
        for family in Family::BOTH {
            from.reach(to.at(family, 8080), &[])?;
        }
    }
    m.outside.fail(m.server.at(Family::V4, 8080), &["--timeout", "300"]).map(drop)
}

fn roots(c: &Cluster) -> Result<String> {
    Ok(fs::read_to_string(c.controller().state_dir().join("ca/root-cert.pem"))?)
}
