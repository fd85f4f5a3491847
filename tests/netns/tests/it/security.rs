//! What a pod, or a stranger, may try.

use weir_harness::{Cluster, Family};

use crate::support::{MARK, mesh, stories};

stories! {
    fn marks_set_by_the_application_give_no_rights(c) {
        let m = mesh(c)?;
        let ours = MARK.to_string();
        for family in Family::BOTH {
            // The capture mark on a connection that stays direct is cleared; it would loop.
            let own = m.client.reach(m.client.at(family, 8080), &["--mark", &ours])?;
            assert_eq!(own.raw["mark"], 0, "{family:?}");
            // Any other mark is overwritten: it does not open a way around.
            for mark in ["1", &ours] {
                let reply = m.client.reach(m.server.at(family, 8080), &["--mark", mark])?;
                assert_eq!(reply.raw["mark"], MARK, "{family:?}");
            }
        }
        let loopback = m.client.reach("127.0.0.1:8080".parse()?, &["--mark", &ours])?;
        assert_eq!(loopback.raw["mark"], 0);
    }

    fn nobody_imitates_the_agents_delivery(c) {
        let m = mesh(c)?;
        let ours = MARK.to_string();
        for family in Family::BOTH {
            let foreign = m.server.ip(family).to_string();
            // A process of the pod that pretends to deliver for a client elsewhere.
            let args = ["--mark", &ours, "--transparent", "--device", "lo", "--bind", &foreign, "--timeout", "1500"];
            m.client.fail(m.client.at(family, 8080), &args)?;
            // A foreign source address towards the mesh is dropped, not carried with the pod's identity.
            m.client.fail(m.server.at(family, 8080), &["--transparent", "--bind", &foreign, "--timeout", "1500"])?;
        }
    }

    fn the_agents_listeners_are_not_reachable_directly(c) {
        let m = mesh(c)?;
        let ports = m.client.netns().listening_ports()?;
        let port = ports.into_iter().find(|port| *port >= 61_000).expect("a listener of the agent");
        for host in ["127.13.0.1", "127.13.0.2", "127.13.0.3"] {
            m.client.fail(format!("{host}:{port}").parse()?, &["--timeout", "1500"])?;
        }
        for family in Family::BOTH {
            m.client.fail(m.client.at(family, port), &["--timeout", "1500"])?;
            m.visitor.fail(m.client.at(family, port), &["--timeout", "1500"])?;
        }
    }

    fn the_tunnel_port_speaks_mutual_tls_only(c) {
        let m = mesh(c)?;
        for family in Family::BOTH {
            for client in [&m.visitor, &m.outside, &m.client] {
                let refused = client.fail(m.server.at(family, 15008), &["--say", "CONNECT 10.9.2.2:8080 HTTP/1.1", "--timeout", "3000"])?;
                assert!(["ECONNRESET", "ECONNREFUSED", "EOF", "EPIPE"].contains(&refused.error.as_str()), "{}: {refused}", client.name());
            }
            m.client.fail(m.client.at(family, 15008), &["--timeout", "1500"])?;
        }
        // TLS without a certificate gets no further than the handshake.
        let text = m.visitor.python(TLS_WITHOUT_CERTIFICATE, &[&m.server.v4().to_string()])?;
        assert!(text.starts_with("refused"), "{text}");
    }

    fn the_hosts_network_is_never_captured(c) {
        let m = mesh(c)?;
        // The node itself, the agent included, speaks plainly to the world.
        let reply = c.node("a").host().connect(m.outside.at(Family::V4, 8080), &[])?.map_err(|e| anyhow::anyhow!("{e}"))?;
        assert_eq!(reply.raw["mark"], 0);
        assert_eq!(reply.seen, Some(reply.local));
    }

    fn a_process_outside_the_pods_cgroup_is_not_captured_and_strict_refuses_it(c) {
        let m = mesh(c)?;
        // As `kubectl exec` is not, but `nsenter` on the node is: documented, and harmless to a STRICT server.
        let stranger = weir_harness::Place { netns: m.client.netns().clone(), ..c.node("a").host().clone() };
        let plain = stranger.connect(m.server.at(Family::V4, 8080), &[])?.map_err(|e| anyhow::anyhow!("{e}"))?;
        assert_eq!(plain.raw["mark"], 0);
        c.set_strict(true)?;
        let refused = stranger.connect(m.server.at(Family::V4, 8080), &[])?;
        assert!(refused.is_err());
    }

    fn no_address_switches_the_mesh_off(c = Cluster::builder("magic")) {
        let m = mesh(c)?;
        for to in ["0.0.0.1:929", "0.0.0.2:930", "0.0.0.0:1", "[::]:1", "255.255.255.255:1"] {
            let _ = m.client.connect(to.parse()?, &["--timeout", "300"])?;
        }
        let reply = m.client.reach(m.server.at(Family::V4, 8080), &[])?;
        assert_eq!(reply.raw["mark"], MARK);
    }
}

const TLS_WITHOUT_CERTIFICATE: &str = r#"
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.set_alpn_protocols(["h2"])
try:
    with context.wrap_socket(socket.create_connection((sys.argv[1], 15008), timeout=5)) as tls:
        tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        data = tls.recv(100)
        print("answered" if data else "refused by EOF", data)
except OSError as error:
    print("refused", error)
"#;
