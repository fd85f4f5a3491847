//! What leaves an enrolled pod: captured in every way of connecting, with the addresses that the
//! application and its server would see without a mesh.

use weir_harness::{Cluster, Family};

use crate::support::{MARK, mesh, service, stories, strs, ways};

stories! {
    fn every_way_of_connecting_reaches_the_other_node(c) {
        let m = mesh(c)?;
        m.server.serve(8081, &[])?;
        let counter = c.node("a").count_link()?;
        for (family, args) in ways(&m.client, m.server.at(Family::V4, 8081)) {
            let to = m.server.at(family, 8080);
            let reply = m.client.reach(to, &strs(&args))?;
            assert_eq!(reply.peer, to, "getpeername {args:?}");
            assert_eq!(reply.local.ip(), m.client.ip(family), "getsockname {args:?}");
            assert_eq!(reply.seen.map(|seen| seen.ip()), Some(m.client.ip(family)), "server's view {args:?}");
            assert_eq!(reply.server, Some(to), "server's own address {args:?}");
            // The mark of an MPTCP connection is on its subflow; the counter speaks for it.
            if !args.iter().any(|arg| arg == "mptcp") {
                assert_eq!(reply.raw["mark"], MARK, "captured {args:?}");
            }
        }
        let (tunnel, other) = counter.read()?;
        assert!(tunnel > 0);
        assert_eq!(other, 0, "TCP packets outside the tunnel");
    }

    fn every_way_of_connecting_reaches_the_same_node(c) {
        let m = mesh(c)?;
        m.neighbour.serve(8081, &[])?;
        let counter = c.node("a").count_link()?;
        for (family, args) in ways(&m.client, m.neighbour.at(Family::V4, 8081)) {
            let to = m.neighbour.at(family, 8080);
            let reply = m.client.reach(to, &strs(&args))?;
            assert_eq!((reply.peer, reply.server), (to, Some(to)), "{args:?}");
            assert_eq!(reply.seen.map(|seen| seen.ip()), Some(m.client.ip(family)), "{args:?}");
        }
        assert_eq!(counter.read()?, (0, 0), "packets on the link");
    }

    fn own_addresses_and_loopback_stay_direct(c) {
        let m = mesh(c)?;
        for to in ["127.0.0.1:8080".parse()?, "[::1]:8080".parse()?, m.client.at(Family::V4, 8080), m.client.at(Family::V6, 8080)] {
            let reply = m.client.reach(to, &[])?;
            assert_eq!(reply.raw["mark"], 0, "{to}");
            assert_eq!(reply.seen, Some(reply.local), "{to}");
        }
        let mapped = m.client.reach(m.client.at(Family::V4, 8080), &["--mapped"])?;
        assert_eq!(mapped.raw["mark"], 0);
    }

    fn services_are_reached_by_their_virtual_addresses(c) {
        let m = mesh(c)?;
        c.service(service("far", &["10.96.0.10", "fd96::10"], 80, 8080, &[&m.server]))?;
        c.service(service("near", &["10.96.0.11", "fd96::11"], 80, 8080, &[&m.neighbour]))?;
        c.service(service("self", &["10.96.0.12", "fd96::12"], 80, 8080, &[&m.client]))?;
        c.service(service("plain", &["10.96.0.13", "fd96::13"], 80, 8080, &[&m.outside]))?;
        for (number, server) in [(10, &m.server), (11, &m.neighbour), (12, &m.client), (13, &m.outside)] {
            for (family, vip, args) in [
                (Family::V4, format!("10.96.0.{number}:80"), vec![]),
                (Family::V6, format!("[fd96::{number}]:80"), vec![]),
                (Family::V4, format!("10.96.0.{number}:80"), vec!["--mapped"]),
            ] {
                let reply = m.client.reach(vip.parse()?, &args)?;
                assert_eq!(reply.peer, vip.parse()?, "getpeername is what was dialled");
                assert_eq!(reply.server, Some(server.at(family, 8080)), "{vip} {args:?}");
                assert_eq!(reply.seen.map(|seen| seen.ip()), Some(m.client.ip(family)), "{vip} {args:?}");
            }
        }
    }

    fn an_ipv6_service_with_an_ipv4_backend(c) {
        let m = mesh(c)?;
        let only4 = c.node("b").pod("only4").enrolled().only(Family::V4).start()?;
        only4.serve(8080, &[])?;
        c.service(service("mixed", &["fd96::20"], 80, 8080, &[&only4]))?;
        let reply = m.client.reach("[fd96::20]:80".parse()?, &[])?;
        assert_eq!(reply.server, Some(only4.at(Family::V4, 8080)));
        assert_eq!(reply.seen.map(|seen| seen.ip()), Some(m.client.ip(Family::V4)), "the client's address of the backend's family");
    }

    fn a_service_without_endpoints_is_refused_at_once(c) {
        let m = mesh(c)?;
        c.service(service("empty", &["10.96.0.30", "fd96::30"], 80, 8080, &[]))?;
        for vip in ["10.96.0.30:80", "[fd96::30]:80"] {
            let refused = m.client.fail(vip.parse()?, &[])?;
            assert_eq!(refused.error, "ECONNRESET", "{vip}");
            assert!(refused.after.as_millis() < 1000, "{refused}");
        }
    }

    fn a_thousand_servers_over_a_hundred_ports(c) {
        let m = mesh(c)?;
        m.server.serve(20_000, &["--spread", "1000"])?;
        m.client.netns().sysctl("net.ipv4.ip_local_port_range", "40000 40099")?;
        let mut hold = m.client.hold(m.server.at(Family::V4, 20_000), &["--spread", "1000", "--count", "1000"])?;
        assert_eq!(hold.open, 1000, "{}", hold.report);
        assert_eq!(hold.alive()?, 1000);
    }

    fn one_source_port_to_two_servers(c) {
        let m = mesh(c)?;
        for family in Family::BOTH {
            let local = std::net::SocketAddr::from((m.client.ip(family), 20_500)).to_string();
            let args = ["--bind", &local, "--reuseaddr"];
            let mut first = m.client.hold(m.server.at(family, 8080), &args)?;
            let mut second = m.client.hold(m.neighbour.at(family, 8080), &args)?;
            assert_eq!((first.alive()?, second.alive()?), (1, 1), "{family:?}");
        }
    }

    fn a_client_bound_to_loopback_gets_out(c) {
        let m = mesh(c)?;
        let reply = m.client.reach(m.server.at(Family::V4, 8080), &["--bind", "127.0.0.1"])?;
        assert!(reply.local.ip().is_loopback());
        assert_eq!(reply.seen.map(|seen| seen.ip()), Some(m.client.ip(Family::V4)));
    }

    fn servers_outside_the_mesh_are_passed_through(c) {
        let m = mesh(c)?;
        let unknown = c.node("b").pod("unknown").unknown().start()?;
        unknown.serve(8080, &[])?;
        for family in Family::BOTH {
            for server in [&m.outside, &unknown, &m.visitor] {
                if server.name() == "visitor" {
                    continue;
                }
                let reply = m.client.reach(server.at(family, 8080), &[])?;
                assert_eq!(reply.seen.map(|seen| seen.ip()), Some(m.client.ip(family)), "{}", server.name());
                assert_eq!(reply.raw["mark"], MARK, "captured all the same");
            }
        }
    }

    fn an_excluded_prefix_is_left_alone(c = Cluster::builder("excluded").agent_args(&["--exclude", "10.9.2.0/24,fd09:2::/64"])) {
        let m = mesh(c)?;
        for family in Family::BOTH {
            // Captured first, then dissolved and connected to the excluded address: the mark must go.
            let via = m.neighbour.at(family, 8080).to_string();
            for args in [vec![], vec!["--how", "reconnect", "--via", &via], vec!["--mark", "1464158546"]] {
                let reply = m.client.reach(m.outside.at(family, 8080), &args)?;
                assert_eq!(reply.raw["mark"], 0, "{family:?} {args:?}");
                assert_eq!(reply.seen, Some(reply.local), "not even the port is another");
            }
        }
        let mapped = m.client.reach(m.outside.at(Family::V4, 8080), &["--mapped"])?;
        assert_eq!(mapped.raw["mark"], 0, "v4-mapped addresses are looked up as IPv4");
    }

    fn a_nested_container_is_captured(c) {
        let m = mesh(c)?;
        let container = m.client.container("inner")?;
        let reply = container.connect(m.server.at(Family::V4, 8080), &[])?.map_err(|e| anyhow::anyhow!("{e}"))?;
        assert_eq!(reply.raw["mark"], MARK);
    }

    fn udp_is_not_touched(c) {
        let m = mesh(c)?;
        let program = "import socket, sys\n\
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
            s.connect((sys.argv[1], 53))\n\
            print(s.getsockopt(socket.SOL_SOCKET, 36))";
        assert_eq!(m.client.python(program, &[&m.server.v4().to_string()])?.trim(), "0");
    }

    fn real_programs_reach_real_servers(c) {
        let m = mesh(c)?;
        m.server.nginx()?;
        m.server.redis()?;
        for family in Family::BOTH {
            let answer = m.client.curl(&m.server.url(family, 80))?;
            assert_eq!(answer.status, 200);
            assert!(answer.body.contains(&format!("sees {}:", m.client.ip(family))), "{answer:?}");
            assert_eq!(m.client.redis_cli(&m.server.ip(family).to_string(), &["PING"])?, "PONG");
        }
    }
}
