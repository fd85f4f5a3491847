//! The mesh file while the agents run: differences are applied, mistakes are refused whole.

use std::fs;
use std::time::Duration;

use weir_harness::{Family, until, until_ok};

use crate::support::{MARK, mesh, service, stories};

stories! {
    fn a_bad_file_is_refused_whole_and_says_where(c) {
        let m = mesh(c)?;
        let good = fs::read_to_string(c.mesh_file())?;
        for (what, bad, place) in [
            ("a misspelt field", good.replacen("serviceAccount:", "serviceAcount:", 1), "serviceAcount"),
            ("a wrong address", good.replacen("10.9.1.2\"", "10.9.1.256\"", 1), "10.9.1.256"),
            ("no YAML", format!("{good}\n  : [\n"), "mesh.yaml:"),
        ] {
            assert_ne!(bad, good, "{what}");
            fs::write(c.mesh_file(), bad)?;
            until_ok(&format!("an error about {what}"), Duration::from_secs(5), || {
                let log = c.node("a").agent().log_text().unwrap_or_default();
                let line = log.lines().find(|line| line.contains("ERROR") && line.contains(place) && line.contains("mesh.yaml:"));
                line.map(str::to_owned).ok_or_else(|| anyhow::anyhow!("no such line"))
            })?;
            m.client.reach(m.server.at(Family::V4, 8080), &[])?;
        }
        c.change(|_| ())?;
        m.client.reach(m.server.at(Family::V4, 8080), &[])?;
    }

    fn services_come_change_and_go(c) {
        let m = mesh(c)?;
        let vip = "10.96.0.50:80".parse()?;
        c.service(service("moving", &["10.96.0.50"], 80, 8080, &[&m.server]))?;
        assert_eq!(m.client.reach(vip, &[])?.server, Some(m.server.at(Family::V4, 8080)));
        c.service(service("moving", &["10.96.0.50"], 80, 8080, &[&m.neighbour]))?;
        assert_eq!(m.client.reach(vip, &[])?.server, Some(m.neighbour.at(Family::V4, 8080)));
        c.service(service("moving", &["10.96.0.50"], 80, 8080, &[&m.server, &m.neighbour]))?;
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..40 {
            seen.insert(m.client.reach(vip, &[])?.server);
        }
        assert_eq!(seen.len(), 2, "both endpoints serve");
        c.change(|mesh| mesh.services.clear())?;
        m.client.fail(vip, &["--timeout", "1000"])?;
    }

    fn enrolled_and_not_enrolled_in_every_pair(c) {
        let m = mesh(c)?;
        for family in Family::BOTH {
            for (client, captured) in [(&m.client, true), (&m.visitor, false)] {
                for server in [&m.server, &m.neighbour, &m.outside] {
                    let reply = client.reach(server.at(family, 8080), &[])?;
                    assert_eq!(reply.raw["mark"], if captured { MARK } else { 0 });
                    assert_eq!(reply.seen.map(|seen| seen.ip()), Some(client.ip(family)));
                }
            }
        }
    }

    fn strict_and_back_while_running(c) {
        let m = mesh(c)?;
        let to = m.server.at(Family::V4, 8080);
        m.visitor.reach(to, &[])?;
        c.set_strict(true)?;
        m.visitor.fail(to, &[])?;
        m.client.reach(to, &[])?;
        c.set_strict(false)?;
        m.visitor.reach(to, &[])?;
    }

    fn trace_shows_the_life_of_a_connection(c) {
        let m = mesh(c)?;
        let binary = weir_harness::binary("weir-agent")?;
        let args = ["trace", "--output", "json", "--admin", "127.0.0.1:15000"];
        let trace = c.node("a").host().spawn(&binary.to_string_lossy(), &args)?;
        // The stream is on when it shows something; ask until it does.
        until_ok("the trace to show a captured connection", Duration::from_secs(10), || {
            m.client.reach(m.server.at(Family::V4, 8080), &[])?;
            let log = trace.log();
            let line = |kind: &str| {
                let kind = format!("\"kind\":\"{kind}\"");
                log.lines().find(|line| line.contains(&kind) && line.contains("\"pod\":\"default/client\"")).map(str::to_owned)
            };
            let captured = line("captured").ok_or_else(|| anyhow::anyhow!("no captured event in\n{log}"))?;
            let closed = line("closed").ok_or_else(|| anyhow::anyhow!("no closed event in\n{log}"))?;
            anyhow::ensure!(captured.contains(&m.client.identity()), "{captured}");
            anyhow::ensure!(closed.contains("\"durationMicros\":"), "{closed}");
            Ok(())
        })?;
        trace.kill()?;
    }

    fn the_log_level_changes_while_running(c) {
        let m = mesh(c)?;
        let agent = c.node("a");
        let (status, text) = agent.agent().post(15000, "/logging?level=debug")?;
        assert_eq!((status, text.contains("debug")), (200, true), "{text}");
        m.client.reach(m.server.at(Family::V4, 8080), &[])?;
        until("a debug line", Duration::from_secs(5), || {
            agent.agent().log_text()?.contains("\"DEBUG\"").then_some(())
        })?;
        assert_eq!(agent.agent().post(15000, "/logging?level=nonsense[")?.0, 400);
    }
}
