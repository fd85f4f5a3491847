//! What arrives at an enrolled pod: from the mesh, in plaintext, from the kubelet.

use std::time::Duration;

use weir_harness::{Family, Mode, PeerAuthentication, until_ok};

use crate::support::{mesh, stories};

stories! {
    fn permissive_takes_plaintext_with_the_true_source(c) {
        let m = mesh(c)?;
        for family in Family::BOTH {
            for server in [&m.neighbour, &m.server] {
                for args in [vec![], vec!["--how", "mptcp"]] {
                    let reply = m.visitor.reach(server.at(family, 8080), &args)?;
                    assert_eq!(reply.seen.map(|seen| seen.ip()), Some(m.visitor.ip(family)), "{args:?}");
                    assert_eq!(reply.server, Some(server.at(family, 8080)));
                }
            }
        }
    }

    fn strict_takes_the_mesh_and_the_kubelets_probes_only(c) {
        let m = mesh(c)?;
        m.server.serve(8081, &[])?;
        c.set_strict(true)?;
        for syncookies in ["1", "2"] {
            m.server.netns().sysctl("net.ipv4.tcp_syncookies", syncookies)?;
            for family in Family::BOTH {
                let to = m.server.at(family, 8080);
                m.client.reach(to, &[])?;
                let refused = m.visitor.fail(to, &[])?;
                assert_eq!(refused.error, "ECONNRESET", "a visitor {family:?}");
                for (who, place) in [("other process", c.node("b").host()), ("other node", c.node("a").host())] {
                    let refused = place.connect(to, &[])?.expect_err(who);
                    assert_eq!(refused.error, "ECONNRESET", "{who} {family:?}");
                }
                let node = c.node("b");
                let kubelet = node.kubelet();
                let probe = kubelet.connect(to, &[])?.map_err(|e| anyhow::anyhow!("probe {family:?}: {e}"))?;
                assert_eq!(probe.seen, Some(probe.local), "a probe goes straight to the app");
                let undeclared = kubelet.connect(m.server.at(family, 8081), &[])?.expect_err("undeclared port");
                assert_eq!(undeclared.error, "ECONNRESET");
            }
            let mapped = c.node("b").kubelet().connect(m.server.at(Family::V4, 8080), &["--mapped"])?;
            assert!(mapped.is_ok(), "a probe from a v4-mapped socket");
        }
    }

    fn strict_may_be_one_port_only(c) {
        let m = mesh(c)?;
        m.server.serve(8081, &[])?;
        c.change(|mesh| mesh.peer_authentication.push(PeerAuthentication {
            name: "one-port".into(),
            namespace: "default".into(),
            workloads: vec!["server".into()],
            mode: Mode::Permissive,
            port_level_mtls: [("8081".to_owned(), Mode::Strict)].into(),
        }))?;
        m.visitor.reach(m.server.at(Family::V4, 8080), &[])?;
        m.visitor.fail(m.server.at(Family::V4, 8081), &[])?;
        m.client.reach(m.server.at(Family::V4, 8081), &[])?;
    }

    fn a_closed_port_is_refused_within_100_ms(c) {
        let m = mesh(c)?;
        for family in Family::BOTH {
            for server in [&m.server, &m.neighbour] {
                // The first connection pays for the tunnel; the refusal itself is what is measured.
                m.client.reach(server.at(family, 8080), &[])?;
                for client in [&m.client, &m.visitor] {
                    let refused = client.fail(server.at(family, 9), &[])?;
                    assert!(["ECONNRESET", "ECONNREFUSED"].contains(&refused.error.as_str()), "{refused}");
                    assert!(refused.after < Duration::from_millis(100), "{} to {}: {refused}", client.name(), server.name());
                }
            }
        }
    }

    fn mptcp_listeners_are_served(c) {
        let m = mesh(c)?;
        m.server.serve(8090, &["--mptcp"])?;
        for family in Family::BOTH {
            for (client, args) in [(&m.client, vec![]), (&m.client, vec!["--how", "mptcp"]), (&m.visitor, vec!["--how", "mptcp"])] {
                let reply = client.reach(m.server.at(family, 8090), &args)?;
                assert_eq!(reply.seen.map(|seen| seen.ip()), Some(client.ip(family)));
            }
        }
    }

    fn strict_reverse_path_filters_do_no_harm(c) {
        let m = mesh(c)?;
        for pod in [&m.client, &m.neighbour, &m.server] {
            for interface in ["all", "lo", "eth0"] {
                pod.netns().sysctl(&format!("net.ipv4.conf.{interface}.rp_filter"), "1")?;
            }
        }
        m.client.reach(m.server.at(Family::V4, 8080), &[])?;
        m.client.reach(m.neighbour.at(Family::V4, 8080), &[])?;
        m.visitor.reach(m.server.at(Family::V4, 8080), &[])?;
        let probe = c.node("b").kubelet().connect(m.server.at(Family::V4, 8080), &[])?;
        assert!(probe.is_ok());
    }

    fn an_interface_that_appears_later_is_covered(c) {
        let m = mesh(c)?;
        let (v4, v6) = ("10.9.2.200".parse()?, "fd09:2::200".parse()?);
        m.server.add_interface(&[v4, v6])?;
        for ip in [v4, v6] {
            let to = (ip, 8080).into();
            let family = if ip.is_ipv4() { Family::V4 } else { Family::V6 };
            let seen = until_ok("the second interface to be served", Duration::from_secs(10), || {
                m.visitor.reach(to, &["--timeout", "1000"])
            })?;
            assert_eq!(seen.seen.map(|seen| seen.ip()), Some(m.visitor.ip(family)));
            // The pod may use it as a client, too, and call itself.
            m.server.reach(to, &[])?;
            let bound = ip.to_string();
            for args in [vec!["--bind", &bound], vec!["--device", "eth1"]] {
                m.server.reach(m.client.at(family, 8080), &args)?;
            }
        }
    }

    fn one_port_number_on_both_legs(c) {
        let m = mesh(c)?;
        // The delivery leg may only choose among the ports from which the clients come: every
        // choice is the mirror image of some client's connection.
        m.server.netns().sysctl("net.ipv4.ip_local_port_range", "21000 21003")?;
        for family in Family::BOTH {
            let mut holds = Vec::new();
            for port in 21_000..21_004u16 {
                let local = std::net::SocketAddr::from((m.visitor.ip(family), port)).to_string();
                let hold = m.visitor.hold(m.server.at(family, 8080), &["--bind", &local, "--reuseaddr"])?;
                assert_eq!(hold.open, 1, "{local}: {}", hold.report);
                holds.push(hold);
            }
            for hold in &mut holds {
                assert_eq!(hold.alive()?, 1);
            }
        }
    }

    fn a_server_that_speaks_first_is_heard(c) {
        let m = mesh(c)?;
        for pod in [&m.server, &m.neighbour] {
            pod.serve(2525, &["--mode", "banner"])?;
        }
        for family in Family::BOTH {
            for (client, server) in [(&m.client, &m.server), (&m.client, &m.neighbour), (&m.visitor, &m.server)] {
                let reply = client.reach(server.at(family, 2525), &["--banner"])?;
                let banner = reply.banner.unwrap_or_default();
                assert!(banner.contains(&client.ip(family).to_string()), "{banner}");
            }
        }
    }
}
