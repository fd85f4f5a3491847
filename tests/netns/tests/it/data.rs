//! Bytes: none lost, none added, and an end means what it says.

use std::time::Duration;

use weir_harness::{Cluster, Family, Pod};

use crate::support::{mesh, service, stories};

stories! {
    fn transfers_with_half_close_both_ways(c) {
        let m = mesh(c)?;
        for pod in [&m.server, &m.neighbour] {
            pod.serve(9000, &["--mode", "transfer"])?;
        }
        c.service(service("data", &["10.96.0.90", "fd96::90"], 90, 9000, &[&m.server]))?;
        for first in ["up", "down"] {
            for family in Family::BOTH {
                for server in [&m.server, &m.neighbour] {
                    transfer(&m.client, &server.at(family, 9000).to_string(), first, 4)?;
                }
                transfer(&m.visitor, &m.server.at(family, 9000).to_string(), first, 2)?;
            }
            for vip in ["10.96.0.90:90", "[fd96::90]:90"] {
                transfer(&m.client, vip, first, 2)?;
            }
        }
    }

    fn a_slow_reader_gets_everything(c) {
        let m = mesh(c)?;
        m.server.serve(9000, &["--mode", "transfer"])?;
        for client in [&m.client, &m.visitor] {
            let to = m.server.at(Family::V4, 9000).to_string();
            let report = client.probe(&["transfer", "--to", &to, "--up", "1000", "--lazy", "1500"])?;
            assert_eq!(report["ok"], 1, "{report}");
        }
    }

    fn an_abort_by_the_application_reaches_the_client(c) {
        let m = mesh(c)?;
        for pod in [&m.server, &m.neighbour] {
            pod.serve(9001, &["--mode", "rst"])?;
            pod.serve(9002, &["--mode", "fin"])?;
        }
        for family in Family::BOTH {
            for (client, server) in [(&m.client, &m.server), (&m.client, &m.neighbour), (&m.visitor, &m.server)] {
                let aborted = client.fail(server.at(family, 9001), &[])?;
                assert_eq!(aborted.error, "ECONNRESET", "{} to {}", client.name(), server.name());
                let ended = client.fail(server.at(family, 9002), &[])?;
                assert_eq!(ended.error, "EOF", "{} to {}", client.name(), server.name());
            }
        }
    }

    fn an_abort_by_the_client_reaches_the_application(c) {
        let m = mesh(c)?;
        let mut port = 9100;
        for (client, server) in [(&m.client, &m.server), (&m.client, &m.neighbour), (&m.visitor, &m.server)] {
            for family in Family::BOTH {
                port += 1;
                let app = server.serve(port, &[])?;
                let second = Duration::from_secs(5);
                client.hold(server.at(family, port), &[])?.tell("rst")?;
                let line = app.wait_log("the end of the connection", second, |line| line.contains("\"end\""))?;
                assert!(line.contains("ECONNRESET"), "{} to {}: {line}", client.name(), server.name());
                client.hold(server.at(family, port), &[])?.tell("fin")?;
                app.wait_log("a clean end", second, |line| line.contains("\"FIN\""))?;
            }
        }
    }

    fn two_hundred_at_once(c) {
        let m = mesh(c)?;
        c.service(service("web", &["10.96.0.91", "fd96::91"], 80, 8080, &[&m.server, &m.neighbour]))?;
        for to in [m.server.at(Family::V4, 8080).to_string(), m.neighbour.at(Family::V6, 8080).to_string(), "10.96.0.91:80".into(), "[fd96::91]:80".into()] {
            let report = m.client.probe(&["many", "--to", &to, "--count", "200", "--parallel", "200"])?;
            assert_eq!(report["ok"], 200, "{to}: {report}");
        }
    }

    fn the_same_source_port_again_and_again(c) {
        let m = mesh(c)?;
        for (client, server) in [(&m.client, &m.server), (&m.client, &m.neighbour), (&m.visitor, &m.server)] {
            for family in Family::BOTH {
                let local = std::net::SocketAddr::from((client.ip(family), 20_700)).to_string();
                let to = server.at(family, 8080).to_string();
                let args = ["many", "--to", &to, "--count", "300", "--closes", "server-then-rst", "--bind", &local, "--reuseaddr"];
                let report = client.probe(&args)?;
                assert_eq!(report["ok"], 300, "{} to {}: {report}", client.name(), server.name());
            }
        }
    }

    fn thousands_of_short_connections_to_the_other_node(c) {
        let m = mesh(c)?;
        for closes in ["server", "client"] {
            short_connections(c, &m.client, &m.server, closes)?;
        }
    }

    fn thousands_of_short_connections_to_the_same_node(c) {
        let m = mesh(c)?;
        for closes in ["server", "client"] {
            short_connections(c, &m.client, &m.neighbour, closes)?;
        }
    }

    fn thousands_of_short_connections_in_plaintext(c) {
        let m = mesh(c)?;
        for closes in ["server", "client"] {
            short_connections(c, &m.visitor, &m.server, closes)?;
        }
    }

    fn ten_thousand_connections_stay_open(c) {
        let m = mesh(c)?;
        let mut hold = m.client.hold(m.server.at(Family::V4, 8080), &["--count", "10000"])?;
        assert_eq!(hold.open, 10_000, "{}", hold.report);
        assert_eq!(hold.alive()?, 10_000);
        // While they are open, others are served.
        m.client.reach(m.server.at(Family::V6, 8080), &[])?;
    }

    fn a_killed_agent_is_an_abort_and_not_an_end(c) {
        let m = mesh(c)?;
        let mut out4 = m.client.hold(m.server.at(Family::V4, 8080), &[])?;
        let mut out6 = m.client.hold(m.server.at(Family::V6, 8080), &[])?;
        let mut near = m.client.hold(m.neighbour.at(Family::V4, 8080), &[])?;
        let mut into = m.visitor.hold(m.neighbour.at(Family::V4, 8080), &[])?;
        c.node("a").agent().kill()?;
        for (what, hold) in [("out v4", &mut out4), ("out v6", &mut out6), ("same node", &mut near), ("inbound", &mut into)] {
            let ends = hold.tell("ends 5000")?;
            assert_eq!(ends["ends"]["ECONNRESET"], 1, "{what}: {ends}");
        }
    }

    fn idle_connections_are_kept_alive(c = Cluster::builder("keepalive")) {
        let m = mesh(c)?;
        let mut hold = m.client.hold(m.server.at(Family::V4, 8080), &[])?;
        assert_eq!(hold.alive()?, 1);
        // The agent's socket to the application, and its end of the tunnel, have a keepalive timer.
        for pod in [&m.client, &m.server] {
            let sockets = c.node("a").output("ip", &["netns", "exec", pod.netns().name(), "ss", "-tnoH", "state", "established"])?.success()?;
            assert!(sockets.contains("timer:(keepalive"), "{}:\n{sockets}", pod.name());
        }
    }
}

fn transfer(client: &Pod, to: &str, first: &str, parallel: u32) -> anyhow::Result<()> {
    let parallel = parallel.to_string();
    let report = client.probe(&["transfer", "--to", to, "--first", first, "--parallel", &parallel])?;
    assert_eq!(report["ok"].to_string(), parallel, "{} to {to}, {first} first: {report}", client.name());
    Ok(())
}

fn short_connections(c: &Cluster, client: &Pod, server: &Pod, closes: &str) -> anyhow::Result<()> {
    let to = server.at(Family::V4, 8080).to_string();
    let report =
        client.probe(&["many", "--to", &to, "--count", "5000", "--parallel", "8", "--closes", closes])?;
    let errors: Vec<_> =
        c.nodes().iter().flat_map(|node| node.agent().access_log(&[("error", "")])).take(5).collect();
    assert_eq!(
        report["ok"],
        5000,
        "{} to {}, {closes} closes: {report}\n{errors:#?}",
        client.name(),
        server.name()
    );
    Ok(())
}
