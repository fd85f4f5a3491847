//! Who speaks to whom: certificates, access logs, metrics.

use std::time::Duration;

use weir_harness::{Cluster, Family, until};

use crate::support::{mesh, stories};

stories! {
    fn both_agents_log_both_identities(c) {
        let m = mesh(c)?;
        let server = c.node("a").pod("billing-1").namespace("shop").service_account("billing").enrolled().start()?;
        server.serve(8080, &[])?;
        c.settle()?;
        m.server.reach(server.at(Family::V4, 8080), &[])?;
        let (from, to) = (m.server.identity(), server.identity());
        assert_eq!(to, "spiffe://cluster.local/ns/shop/sa/billing");
        for (node, direction) in [("b", "outbound"), ("a", "inbound")] {
            c.node(node).agent().wait_access_log(&[
                ("src.identity", &from),
                ("dst.identity", &to),
                ("direction", direction),
                ("dst.workload", "billing-1"),
            ])?;
        }
    }

    fn metrics_carry_the_principals(c) {
        let m = mesh(c)?;
        for _ in 0..3 {
            m.client.reach(m.server.at(Family::V4, 8080), &[])?;
        }
        let (from, to) = (m.client.identity(), m.server.identity());
        for (node, reporter) in [("a", "source"), ("b", "destination")] {
            let labels = [
                ("reporter", reporter),
                ("source_principal", from.as_str()),
                ("destination_principal", to.as_str()),
                ("connection_security_policy", "mutual_tls"),
                ("response_flags", "-"),
            ];
            let agent = c.node(node);
            until("three connections in the metrics", Duration::from_secs(5), || {
                let metrics = agent.agent().metrics().ok()?;
                let closed = metrics.sum("istio_tcp_connections_closed_total", &labels)?;
                let bytes = metrics.sum("istio_tcp_received_bytes_total", &labels)?;
                (closed >= 3.0 && bytes > 0.0).then_some(())
            })?;
        }
    }

    fn plaintext_is_counted_without_a_principal(c) {
        let m = mesh(c)?;
        m.visitor.reach(m.server.at(Family::V4, 8080), &[])?;
        until("the visitor in the metrics", Duration::from_secs(5), || {
            let metrics = c.node("b").agent().metrics().ok()?;
            let labels = [("reporter", "destination"), ("source_principal", "unknown"), ("connection_security_policy", "unknown")];
            metrics.sum("istio_tcp_connections_opened_total", &labels).filter(|count| *count >= 1.0)
        })?;
    }

    fn certificates_are_renewed_while_connections_live(c = Cluster::builder("renewal").agent_args(&["--cert-lifetime", "8s"])) {
        let m = mesh(c)?;
        let mut open = m.client.hold(m.server.at(Family::V4, 8080), &[])?;
        let serial = |node: &str, id: &str| -> Option<String> {
            let dump = c.node(node).agent().config_dump().ok()?;
            let all = dump["certificates"].as_array()?.clone();
            let one = all.into_iter().find(|one| one["identity"] == id)?;
            Some(one["certChain"][0]["serialNumber"].as_str()?.to_owned())
        };
        for (node, pod) in [("a", &m.client), ("b", &m.server)] {
            let id = pod.identity();
            let first = serial(node, &id).expect("a certificate in the config dump");
            until("two renewals", Duration::from_secs(20), || serial(node, &id).filter(|now| *now != first))?;
        }
        assert_eq!(open.alive()?, 1);
        m.client.reach(m.server.at(Family::V6, 8080), &[])?;
    }

    fn keys_are_not_written(c) {
        let m = mesh(c)?;
        m.client.reach(m.server.at(Family::V4, 8080), &[])?;
        let listing = c.node("a").output("find", &[c.dir().to_string_lossy().as_ref(), "-name", "*.pem"])?.success()?;
        let mut names: Vec<&str> = listing.lines().filter_map(|line| line.rsplit('/').next()).collect();
        names.sort_unstable();
        assert_eq!(names, ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"], "the CA's own files only");
    }
}
