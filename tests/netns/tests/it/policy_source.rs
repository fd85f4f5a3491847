//! Whose address and whose identity a policy sees, for every kind of connection.

use std::time::Duration;

use weir_harness::{Cluster, Family, Hold, Pod, until_ok};

use crate::policy::{from, peer, policy, policy_for};
use crate::support::{mesh, stories};

stories! {
    fn the_address_is_the_clients(c = Cluster::builder("policy-address").controlled()) {
        let m = mesh(c)?;
        let both = |pod: &Pod| format!("['{}', '{}']", pod.ip(Family::V4), pod.ip(Family::V6));
        // Who is denied, and two that are not; through a tunnel and in plaintext, to this node and to another.
        for (denied, others) in [
            (&m.client, [&m.visitor, &m.outside]),
            (&m.visitor, [&m.client, &m.outside]),
        ] {
            let rules = format!("[{{from: [{{source: {{ipBlocks: {}}}}}]}}]", both(denied));
            c.apply("policy", &format!(
                "{}---\n{}",
                policy("by-address", "DENY", &rules),
                policy_for("neighbour", "by-address-near", "DENY", &rules),
            ))?;
            for to in [&m.server, &m.neighbour] {
                for family in Family::BOTH {
                    denied.fail(to.at(family, 8080), &[])?;
                    for other in others {
                        other.reach(to.at(family, 8080), &[])?;
                    }
                }
            }
        }
    }

    fn an_address_outside_of_what_is_allowed(c = Cluster::builder("policy-network").controlled()) {
        let m = mesh(c)?;
        let (client, server) = (m.client.v4(), m.server.v4());
        let rules = format!(
            "[{{from: [{{source: {{ipBlocks: ['{client}/16'], notIpBlocks: ['{}']}}}}], \
              when: [{{key: destination.ip, values: ['::ffff:{server}']}}]}}]",
            m.visitor.v4(),
        );
        c.apply("policy", &policy("by-network", "ALLOW", &rules))?;
        m.client.reach(m.server.at(Family::V4, 8080), &[])?;
        m.outside.reach(m.server.at(Family::V4, 8080), &[])?;
        m.visitor.fail(m.server.at(Family::V4, 8080), &[])?;
        m.client.fail(m.server.at(Family::V6, 8080), &[])?;
    }

    fn an_address_that_is_denied_later_cuts(c = Cluster::builder("policy-cut").controlled()) {
        let m = mesh(c)?;
        for (client, to) in [(&m.client, &m.server), (&m.client, &m.neighbour), (&m.visitor, &m.server), (&m.visitor, &m.neighbour)] {
            c.apply("policy", &policy_for(to.name(), "by-address", "DENY", "[{to: [{operation: {ports: ['1']}}]}]"))?;
            let to_at = to.at(Family::V6, 8080);
            let (mut cut, mut kept) = (client.hold(to_at, &[])?, m.outside.hold(to_at, &[])?);
            assert_eq!((cut.alive()?, kept.alive()?), (1, 1));
            let rules = format!("[{{from: [{{source: {{ipBlocks: ['{}']}}}}]}}]", client.ip(Family::V6));
            c.apply("policy", &policy_for(to.name(), "by-address", "DENY", &rules))?;
            gone(&format!("the connection from {} to {}", client.name(), to.name()), &mut cut)?;
            assert_eq!(kept.alive()?, 1);
        }
    }

    fn one_stream_of_a_tunnel_is_cut(c = Cluster::builder("policy-stream").controlled()) {
        let m = mesh(c)?;
        m.server.serve(9090, &[])?;
        let (to, other) = (m.server.at(Family::V4, 8080), m.server.at(Family::V4, 9090));
        let (mut cut, mut kept) = (m.client.hold(to, &[])?, m.client.hold(other, &[])?);
        let (mut plain, mut near) = (m.visitor.hold(other, &[])?, m.visitor.hold(m.neighbour.at(Family::V4, 8080), &[])?);
        assert_eq!((cut.alive()?, kept.alive()?, plain.alive()?, near.alive()?), (1, 1, 1, 1));
        c.apply("policy", &policy("port", "DENY", "[{to: [{operation: {ports: ['8080']}}]}]"))?;
        gone("the stream to the port that is denied", &mut cut)?;
        assert_eq!((kept.alive()?, plain.alive()?), (1, 1));
        // Plaintext is cut when it is wanted no more, and tunnels are not.
        c.apply("strict", &peer("default", "default", "mtls: {mode: STRICT}"))?;
        gone("plaintext to another node", &mut plain)?;
        gone("plaintext on one node", &mut near)?;
        assert_eq!(kept.alive()?, 1);
    }

    /// As a waypoint does: it ends the client's connection and opens one of its own.
    fn who_hands_on_is_who_is_seen(c = Cluster::builder("policy-relay").controlled()) {
        let m = mesh(c)?;
        let relay = c.node("a").pod("relay").enrolled().start()?;
        c.up()?;
        let server = m.server.at(Family::V4, 8080);
        let _relaying = relay.python_server(RELAY, &["8080", &server.ip().to_string()])?;
        let through = relay.at(Family::V4, 8080);
        until_ok("the relay", Duration::from_secs(10), || m.client.reach(through, &[]).map(drop))?;
        c.apply("policy", &policy("through-relay", "ALLOW", &from("relay")))?;
        m.client.fail(server, &[])?;
        m.client.reach(through, &[])?;
        m.visitor.reach(through, &[])?;
        c.apply("policy", &policy("through-relay", "ALLOW", &from("client")))?;
        m.client.reach(server, &[])?;
        m.client.fail(through, &[])?;
        let address = format!("[{{from: [{{source: {{ipBlocks: ['{}']}}}}]}}]", relay.v4());
        c.apply("policy", &policy("through-relay", "ALLOW", &address))?;
        m.client.fail(server, &[])?;
        m.client.reach(through, &[])?;
    }
}

fn gone(what: &str, hold: &mut Hold) -> anyhow::Result<()> {
    until_ok(&format!("{what} to be cut"), Duration::from_secs(5), || {
        anyhow::ensure!(hold.alive()? == 0, "it is open");
        Ok(())
    })
}

/// Listens on a port and passes each connection on to the same port of a host.
const RELAY: &str = r"
import socket, sys, threading
port, host = int(sys.argv[1]), sys.argv[2]
def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
def serve(client):
    try:
        server = socket.create_connection((host, port))
    except OSError:
        client.close()
        return
    threading.Thread(target=pump, args=(client, server), daemon=True).start()
    pump(server, client)
listener = socket.create_server(('', port))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
";
