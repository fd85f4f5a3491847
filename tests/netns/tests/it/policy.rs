//! AuthorizationPolicy and PeerAuthentication, as YAML through the controller to every kind of connection.

use std::time::Duration;

use weir_harness::{Cluster, Family, until_ok};

use crate::support::{mesh, service, stories};

stories! {
    fn allowed_and_denied_with_the_policy_named(c = Cluster::builder("policy").controlled()) {
        let m = mesh(c)?;
        c.apply("policy", &policy("only-client", "ALLOW", &from("client")))?;
        for family in Family::BOTH {
            let to = m.server.at(family, 8080);
            m.client.reach(to, &[])?;
            m.neighbour.fail(to, &[])?;
            m.visitor.fail(to, &[])?;
        }
        for denied in ["neighbour", "visitor"] {
            let fields = [("src.workload", denied), ("dst.workload", "server"), ("error", "default/only-client")];
            c.node("b").agent().wait_access_log(&fields)?;
        }
        let metrics = c.node("b").agent().metrics()?;
        let flags = [("response_flags", "DENY"), ("destination_workload", "server")];
        assert!(metrics.sum("istio_tcp_connections_failed_total", &flags) >= Some(4.0), "{metrics:?}");
    }

    fn denied_on_one_node_too(c = Cluster::builder("policy-near").controlled()) {
        let m = mesh(c)?;
        c.apply("policy", &policy_for("neighbour", "not-client", "DENY", &from("client")))?;
        m.client.fail(m.neighbour.at(Family::V4, 8080), &[])?;
        m.visitor.reach(m.neighbour.at(Family::V4, 8080), &[])?;
        m.server.reach(m.neighbour.at(Family::V6, 8080), &[])?;
    }

    fn through_a_service_the_target_port_counts(c = Cluster::builder("policy-vip").controlled()) {
        let m = mesh(c)?;
        c.service(service("web", &["10.96.0.9", "fd09:96::9"], 80, 8080, &[&m.server]))?;
        c.apply("policy", &policy("port", "ALLOW", "[{to: [{operation: {ports: ['80']}}]}]"))?;
        m.client.fail("10.96.0.9:80".parse()?, &[])?;
        c.apply("policy", &policy("port", "ALLOW", "[{to: [{operation: {ports: ['8080']}}]}]"))?;
        m.client.reach("10.96.0.9:80".parse()?, &[])?;
        m.client.reach("[fd09:96::9]:80".parse()?, &[])?;
    }

    fn a_change_reaches_open_connections_of_every_kind(c = Cluster::builder("policy-live").controlled()) {
        let m = mesh(c)?;
        c.apply("policy", &all_allow_everybody())?;
        let mut doomed = vec![
            ("tunnel", m.client.hold(m.server.at(Family::V4, 8080), &[])?),
            ("tunnel, IPv6", m.client.hold(m.server.at(Family::V6, 8080), &[])?),
            ("plaintext", m.visitor.hold(m.server.at(Family::V4, 8080), &[])?),
            ("same node", m.client.hold(m.neighbour.at(Family::V4, 8080), &[])?),
            ("same node, plaintext", m.visitor.hold(m.neighbour.at(Family::V4, 8080), &[])?),
        ];
        let mut kept = m.neighbour.hold(m.server.at(Family::V4, 8080), &[])?;
        for (what, hold) in &mut doomed {
            assert_eq!(hold.alive()?, 1, "{what}");
        }
        c.apply("policy", &format!(
            "{}---\n{}",
            policy("server", "ALLOW", &from("neighbour")),
            policy_for("neighbour", "neighbour", "ALLOW", &from("server")),
        ))?;
        for (what, hold) in &mut doomed {
            until_ok(&format!("the {what} connection to be cut"), Duration::from_secs(5), || {
                anyhow::ensure!(hold.alive()? == 0, "it is open");
                Ok(())
            })?;
        }
        assert_eq!(kept.alive()?, 1);
        c.delete("policy")?;
        m.client.reach(m.server.at(Family::V4, 8080), &[])?;
    }

    fn strict_at_every_level(c = Cluster::builder("strict").controlled()) {
        let m = mesh(c)?;
        let (server, neighbour) = (m.server.at(Family::V4, 8080), m.neighbour.at(Family::V4, 8080));
        m.server.serve(9090, &[])?;
        let other = m.server.at(Family::V4, 9090);
        c.apply("peer", &peer("weir-system", "default", "mtls: {mode: STRICT}"))?;
        m.visitor.fail(server, &[])?;
        m.visitor.fail(neighbour, &[])?;
        m.client.reach(server, &[])?;
        c.apply("peer", &format!(
            "{}---\n{}",
            peer("weir-system", "default", "mtls: {mode: STRICT}"),
            peer("default", "default", "mtls: {mode: PERMISSIVE}"),
        ))?;
        m.visitor.reach(server, &[])?;
        c.apply("peer", &peer(
            "default",
            "ports",
            "selector: {matchLabels: {app: server}}\n  mtls: {mode: STRICT}\n  portLevelMtls: {9090: {mode: PERMISSIVE}}",
        ))?;
        m.visitor.fail(server, &[])?;
        m.visitor.reach(other, &[])?;
        m.visitor.reach(neighbour, &[])?;
    }

    fn a_rule_that_cannot_be_kept_closes_and_says_so(c = Cluster::builder("policy-bad").controlled()) {
        let m = mesh(c)?;
        let to = m.server.at(Family::V4, 8080);
        let deny = "[{from: [{source: {principals: [cluster.local/ns/default/sa/client]}}], to: [{operation: {methods: [DELETE]}}]}]";
        c.apply("policy", &policy("no-delete", "DENY", deny))?;
        m.client.fail(to, &[])?;
        m.neighbour.reach(to, &[])?;
        told(c, "no-delete", "spec.rules[0].to[0].operation.methods")?;
        c.apply("policy", &policy("get-only", "ALLOW", "[{to: [{operation: {methods: [GET]}}]}]"))?;
        m.client.fail(to, &[])?;
        m.neighbour.fail(to, &[])?;
        told(c, "get-only", "spec.rules[0].to[0].operation.methods")?;
        c.apply("policy", &policy("typo", "ALLOW", "[{form: [{source: {namespaces: [default]}}]}]"))?;
        m.client.fail(to, &[])?;
        told(c, "typo", "spec.rules[0].form")?;
    }
}

/// Waits until the controller shows a condition that is False and names the field.
fn told(c: &Cluster, policy: &str, field: &str) -> anyhow::Result<()> {
    until_ok(&format!("the status of policy {policy}"), Duration::from_secs(5), || {
        let board = c.controller().debug("status")?;
        let name = format!("AuthorizationPolicy default/{policy}");
        let told = board.as_array().into_iter().flatten().find(|one| one["object"] == *name);
        let conditions = told.map(|one| one["conditions"].clone()).unwrap_or_default();
        let names = |one: &serde_json::Value| {
            one["status"] == "False" && one["message"].as_str().is_some_and(|text| text.contains(field))
        };
        anyhow::ensure!(conditions.as_array().is_some_and(|all| all.iter().any(names)), "{board}");
        Ok(())
    })
}

pub(crate) fn from(pod: &str) -> String {
    format!("[{{from: [{{source: {{principals: [cluster.local/ns/default/sa/{pod}]}}}}]}}]")
}

pub(crate) fn policy(name: &str, action: &str, rules: &str) -> String {
    policy_for("server", name, action, rules)
}

pub(crate) fn policy_for(pod: &str, name: &str, action: &str, rules: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: {name}, namespace: default}}\n\
         spec:\n  selector: {{matchLabels: {{app: {pod}}}}}\n  action: {action}\n  rules: {rules}\n"
    )
}

pub(crate) fn peer(namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1beta1\nkind: PeerAuthentication\n\
         metadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  {spec}\n"
    )
}

fn all_allow_everybody() -> String {
    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: everybody, namespace: default}\n\
     spec: {rules: [{}]}\n"
        .to_owned()
}
