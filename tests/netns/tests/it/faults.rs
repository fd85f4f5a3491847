//! kill -9 of the controller, of agents, and of both in every order, under load. What does not go through who died does not
//! notice, and what does is closed, never plaintext.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use weir_harness::{Cluster, Family, Hold, Load, Pod, TunnelProtocol, until};

use crate::policy::{from, policy};
use crate::support::{MARK, Mesh, mesh, stories};

stories! {
    fn every_order_of_deaths(c = Cluster::builder("deaths").controlled()) {
        let m = mesh(c)?;
        c.set_strict(true)?;
        let counter = c.node("a").count_link()?;
        // Who is killed, in that order, and who comes back, in that order.
        for (deaths, returns) in [
            ("c", "c"), ("ca", "ac"), ("ac", "ca"), ("cb", "bc"), ("bc", "cb"), ("cab", "bac"), ("bac", "cab"), ("abc", "abc"),
        ] {
            let round = Round { c, m: &m, deaths };
            round.run(returns).with_context(|| format!("killed {deaths}, started {returns}"))?;
        }
        assert_eq!(counter.read()?.1, 0, "TCP packets outside the tunnel");
    }

    fn what_changes_while_nobody_looks(c = Cluster::builder("changes").controlled()) {
        let m = mesh(c)?;
        c.set_strict(true)?;
        let kept = Steady::start(&m.client, &m.neighbour, &["--timeout", "5000"])?;
        let mut doomed = m.client.hold(m.server.at(Family::V4, 8080), &["--count", "10"])?;
        c.controller().kill()?;
        // A pod comes, one joins, one goes, and the server is closed to the client.
        let late = c.node("b").pod("late").enrolled().start()?;
        late.serve(8080, &[])?;
        c.change_unseen(|mesh| mesh.workloads.iter_mut().filter(|one| one.name == "visitor")
            .for_each(|one| one.tunnel_protocol = TunnelProtocol::Hbone))?;
        m.outside.delete()?;
        c.write("deny", &policy("not-client", "DENY", &from("client")))?;
        // What was known is in force.
        assert_eq!(doomed.alive()?, 10);
        m.client.reach(m.server.at(Family::V6, 8080), &[])?;
        m.visitor.fail(m.server.at(Family::V4, 8080), &["--timeout", "500"])?;
        c.node("b").agent().kill()?;
        c.node("b").agent().launch()?;
        until("the agent's endpoints", Duration::from_secs(20), || c.node("b").agent().get(15021, "/healthz/ready").ok())?;
        m.neighbour.fail(m.server.at(Family::V4, 8080), &["--timeout", "500"])?;
        c.up()?;
        m.client.fail(m.server.at(Family::V4, 8080), &[])?;
        let reply = m.visitor.reach(late.at(Family::V4, 8080), &[])?;
        assert_eq!(reply.raw["mark"], MARK, "it is in the mesh now");
        m.neighbour.reach(m.server.at(Family::V6, 8080), &[])?;
        kept.unharmed()?;
    }

    fn a_policy_that_came_while_the_controller_was_away_cuts_when_it_is_back(c = Cluster::builder("late-policy").controlled()) {
        let m = mesh(c)?;
        let mut doomed = m.client.hold(m.server.at(Family::V4, 8080), &["--count", "20"])?;
        let kept = Steady::start(&m.neighbour, &m.server, &["--timeout", "5000"])?;
        c.controller().kill()?;
        c.write("deny", &policy("not-client", "DENY", &from("client")))?;
        assert_eq!(doomed.alive()?, 20);
        c.up()?;
        let ends = doomed.tell("ends 5000")?;
        assert!(ends["ends"]["open"].is_null() && ends["ends"]["DATA"].is_null(), "{ends}");
        m.client.fail(m.server.at(Family::V4, 8080), &[])?;
        kept.unharmed()?;
    }

    fn a_controller_that_lost_its_ca_is_not_followed(c = Cluster::builder("lost-state").controlled()) {
        let m = mesh(c)?;
        c.set_strict(true)?;
        let kept = Steady::start(&m.client, &m.server, &["--timeout", "5000"])?;
        c.controller().kill()?;
        let (state, aside) = (c.controller().state_dir(), c.dir().join("aside"));
        fs::rename(&state, &aside)?;
        // It makes a CA and keys of its own: nobody's token is good for it.
        c.controller().start()?;
        for node in ["a", "b"] {
            c.node(node).agent().current()?.wait_log("a refusal", Duration::from_secs(30), |line| line.contains("request authenticate failure"))?;
        }
        m.client.reach(m.server.at(Family::V6, 8080), &[])?;
        m.outside.fail(m.server.at(Family::V4, 8080), &[])?;
        c.controller().kill()?;
        fs::rename(&state, c.dir().join("other"))?;
        fs::rename(&aside, &state)?;
        c.up()?;
        m.client.reach(m.server.at(Family::V4, 8080), &[])?;
        c.set_strict(false)?;
        m.outside.reach(m.server.at(Family::V4, 8080), &[])?;
        kept.unharmed()?;
    }

    fn an_impostor_on_the_controllers_port_is_not_listened_to(c = Cluster::builder("impostor").controlled()) {
        let m = mesh(c)?;
        c.set_strict(true)?;
        let kept = Steady::start(&m.client, &m.server, &["--timeout", "5000"])?;
        c.controller().kill()?;
        // A mesh with one strange pod and without us, and a CA that nobody knows.
        let strange = c.dir().join("strange");
        fs::create_dir_all(strange.join("mesh"))?;
        fs::write(strange.join("mesh/x.yaml"), "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n")?;
        let (source, state) = (format!("dir:{}", strange.join("mesh").display()), strange.join("state"));
        let binary = weir_harness::binary("weir-controller")?;
        let impostor = c.node("a").host().spawn(
            &binary.to_string_lossy(),
            &["run", "--source", &source, "--state-dir", &state.to_string_lossy()],
        )?;
        for node in ["a", "b"] {
            c.node(node).agent().current()?.wait_log("a word about the certificate", Duration::from_secs(10), |line| line.contains("UnknownIssuer"))?;
        }
        m.client.reach(m.server.at(Family::V6, 8080), &[])?;
        m.outside.fail(m.server.at(Family::V4, 8080), &[])?;
        impostor.kill()?;
        c.up()?;
        kept.unharmed()?;
    }
}

/// New connections and long-lived ones between two pods, none of which may fail.
pub(crate) struct Steady {
    holds: Vec<Hold>,
    load: Load,
}

/// Streams held open by each [`Steady`].
const HELD: u64 = 5;

impl Steady {
    pub(crate) fn start(from: &Pod, to: &Pod, args: &[&str]) -> Result<Self> {
        let count = HELD.to_string();
        let holds = Family::BOTH
            .map(|family| from.hold(to.at(family, 8080), &["--count", &count]))
            .into_iter()
            .collect::<Result<_>>()?;
        Ok(Self { holds, load: from.load(to.at(Family::V4, 8080), args)? })
    }

    pub(crate) fn end(self) -> Result<()> {
        self.load.stop().map(drop)
    }

    pub(crate) fn unharmed(self) -> Result<()> {
        let Self { holds, load } = self;
        for mut hold in holds {
            anyhow::ensure!(hold.alive()? == HELD, "connections were cut");
        }
        let report = load.stop()?;
        anyhow::ensure!(report["failed"] == 0 && report["ok"].as_u64() > Some(0), "{report}");
        Ok(())
    }
}

/// Some die and come back.
struct Round<'a> {
    c: &'a Cluster,
    m: &'a Mesh,
    deaths: &'a str,
}

impl Round<'_> {
    fn run(&self, returns: &str) -> Result<()> {
        let (c, m) = (self.c, self.m);
        let mut unharmed = Vec::new();
        if !self.kills('a') {
            unharmed.push(Steady::start(&m.client, &m.neighbour, &["--timeout", "5000"])?);
        }
        if self.deaths == "c" {
            unharmed.push(Steady::start(&m.client, &m.server, &["--timeout", "5000"])?);
        }
        for who in self.deaths.chars() {
            match who {
                'c' => c.controller().kill()?,
                node => c.node(&node.to_string()).agent().kill()?,
            }
            self.closed().with_context(|| format!("after {who} died"))?;
        }
        for who in returns.chars() {
            match who {
                'c' => c.controller().start()?,
                node => {
                    let agent = c.node(&node.to_string());
                    agent.agent().launch()?;
                    until("the agent's endpoints", Duration::from_secs(20), || {
                        agent.agent().get(15021, "/healthz/ready").ok()
                    })?;
                }
            }
            self.closed().with_context(|| format!("after {who} came back"))?;
        }
        c.up()?;
        for (from, to) in [(&m.client, &m.server), (&m.server, &m.client), (&m.client, &m.neighbour)] {
            for family in Family::BOTH {
                from.reach(to.at(family, 8080), &[])?;
            }
        }
        self.closed().context("at the end")?;
        unharmed.into_iter().try_for_each(Steady::unharmed)
    }

    fn kills(&self, who: char) -> bool {
        self.deaths.contains(who)
    }

    /// Whoever is alive: no plaintext gets in where the mesh is strict. Not over the link, where it would be counted.
    fn closed(&self) -> Result<()> {
        let m = self.m;
        m.outside.fail(m.server.at(Family::V4, 8080), &["--timeout", "200"])?;
        m.visitor.fail(m.neighbour.at(Family::V6, 8080), &["--timeout", "200"])?;
        Ok(())
    }
}
