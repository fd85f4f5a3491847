//! DestinationRules of services without a waypoint: their agents enforce what makes sense for connections.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use weir_harness::{Cluster, Family, Pod, until, until_ok};

use crate::support::{mesh, service, stories};

/// How long a change may take from a file to the agents, and from there to what can be seen of it.
const SOON: Duration = Duration::from_secs(20);

/// A rule `name` of the namespace `default`.
fn rule(name: &str, host: &str, policy: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: {name}, namespace: default}}\nspec: {{host: {host}, trafficPolicy: {policy}}}\n"
    )
}

/// Drops what comes to a port of the pod, as a firewall does that says nothing.
fn swallow(pod: &Pod, port: u16) -> Result<()> {
    let rules = format!(
        "add table inet hole; add chain inet hole in {{ type filter hook prerouting priority -500; }}; add rule inet hole in tcp dport {port} drop"
    );
    pod.output("nft", &[&rules])?.success().map(drop)
}

/// Whether the agent of node `a` was told of limits of the service `details`.
fn limited(c: &Cluster) -> Result<bool> {
    let dump = c.node("a").agent().config_dump()?;
    let services = dump["services"].as_array().context("no services in the dump")?;
    let service = services.iter().find(|one| one["name"] == "details").context("no service details")?;
    Ok(service.get("audiences").is_some())
}

stories! {
    /// To another node, to the same node, and in plaintext to who is not in the mesh.
    fn a_limit_of_connections_holds_where_no_waypoint_is(c = Cluster::builder("limit").controlled()) {
        let m = mesh(c)?;
        let ways = [("far", "10.96.3.1", &m.server), ("near", "10.96.3.2", &m.neighbour), ("plain", "10.96.3.3", &m.outside)];
        for (name, vip, pod) in ways {
            c.service(service(name, &[vip], 80, 8080, &[pod]))?;
        }
        c.apply("limit", &rule("all", "'*.default.svc.cluster.local'", "{connectionPool: {tcp: {maxConnections: 1}}}"))?;
        for (name, vip, _) in ways {
            let vip: SocketAddr = format!("{vip}:80").parse()?;
            let hold = m.client.hold(vip, &["--count", "1"])?;
            ensure!(hold.open == 1, "{name}: {}", hold.report);
            let refused = m.client.fail(vip, &["--timeout", "2000"])?;
            ensure!(refused.error == "ECONNRESET", "{name}: {refused}");
            let why = format!("service default/{name}.default.svc.cluster.local port 80 has as many connections from this node as DestinationRule/default/all says (1)");
            c.node("a").agent().wait_access_log(&[("error", &why)])?;
            // All pods of the node count together; another node has a count of its own.
            m.neighbour.fail(vip, &["--timeout", "2000"])?;
            m.server.reach(vip, &[])?;
            // Its end makes room.
            hold.end()?;
            until_ok("room for another connection", SOON, || m.client.reach(vip, &["--timeout", "2000"]).map(drop))?;
        }
        let failed = c.node("a").agent().metrics()?;
        let failed = failed.sum("istio_tcp_connections_failed_total", &[("response_flags", "UO"), ("reporter", "source")]);
        ensure!(failed >= Some(6.0), "{failed:?}");
        // By the pod's own address no service is asked for, and a rule that goes lifts the limit of what is open.
        let vip: SocketAddr = "10.96.3.1:80".parse()?;
        let mut hold = m.client.hold(vip, &["--count", "1"])?;
        m.client.reach(m.server.at(Family::V4, 8080), &[])?;
        m.client.fail(vip, &["--timeout", "2000"])?;
        c.delete("limit")?;
        for _ in 0..3 {
            m.client.reach(vip, &[])?;
        }
        ensure!(hold.alive()? == 1, "what was open stays open");
    }

    fn a_rule_of_the_clients_namespace_holds_for_its_clients(c = Cluster::builder("consumer").controlled()) {
        let (a, b) = (c.node("a"), c.node("b"));
        let own = a.pod("own").namespace("shop").enrolled().start()?;
        let other = a.pod("other").enrolled().start()?;
        let server = b.pod("server").enrolled().start()?;
        server.serve(8080, &[])?;
        c.up()?;
        c.service(service("web", &["10.96.3.1"], 80, 8080, &[&server]))?;
        let vip: SocketAddr = "10.96.3.1:80".parse()?;
        let consumer = rule("mine", "web.default.svc.cluster.local", "{connectionPool: {tcp: {maxConnections: 1}}}");
        c.apply("consumer", &consumer.replace("namespace: default", "namespace: shop"))?;
        let hold = own.hold(vip, &["--count", "1"])?;
        ensure!(hold.open == 1, "{}", hold.report);
        own.fail(vip, &["--timeout", "2000"])?;
        let others = other.hold(vip, &["--count", "3"])?;
        ensure!(others.open == 3, "{}", others.report);
    }

    /// In the tunnel and in plaintext.
    fn a_destination_that_says_nothing_is_given_up_in_time(c = Cluster::builder("hole").controlled()) {
        let m = mesh(c)?;
        c.service(service("far", &["10.96.3.1"], 80, 8080, &[&m.server]))?;
        c.service(service("plain", &["10.96.3.3"], 80, 8080, &[&m.outside]))?;
        c.apply("limit", &rule("all", "'*.default.svc.cluster.local'", "{connectionPool: {tcp: {connectTimeout: 700ms}}}"))?;
        swallow(&m.server, 15008)?;
        swallow(&m.outside, 8080)?;
        for vip in ["10.96.3.1:80", "10.96.3.3:80"] {
            let refused = m.client.fail(vip.parse()?, &["--timeout", "8000"])?;
            ensure!(refused.error == "ECONNRESET", "{vip}: {refused}");
            ensure!((700..5000).contains(&refused.after.as_millis()), "{vip}: {refused}");
        }
        for at in [m.server.at(Family::V4, 15008), m.outside.at(Family::V4, 8080)] {
            let why = format!("connect to {at}: not connected within 700ms, which is the connectTimeout of DestinationRule/default/all");
            c.node("a").agent().wait_access_log(&[("error", &why)])?;
        }
    }

    fn an_endpoint_that_refuses_is_left_out_and_comes_back(c = Cluster::builder("eject").controlled()) {
        let (a, b) = (c.node("a"), c.node("b"));
        let client = a.pod("client").enrolled().start()?;
        let good = b.pod("good").enrolled().start()?;
        let broken = b.pod("broken").enrolled().start()?;
        good.serve(8080, &[])?;
        c.up()?;
        c.service(service("web", &["10.96.3.1"], 80, 8080, &[&good, &broken]))?;
        let vip: SocketAddr = "10.96.3.1:80".parse()?;
        c.apply("eject", &rule("web", "web", "{outlierDetection: {consecutive5xxErrors: 2, interval: 1s, baseEjectionTime: 12s}}"))?;
        let ejected = || -> Result<f64> {
            let metrics = c.node("a").agent().metrics()?;
            Ok(metrics.sum("weir_endpoint_ejections_total", &[("destination_service_name", "web")]).unwrap_or(0.0))
        };
        // By chance it is chosen one time in two.
        let mut failures = 0;
        while ejected()? == 0.0 {
            ensure!(failures < 3, "it failed {failures} times and is not left out");
            failures += usize::from(client.connect(vip, &[])?.is_err());
        }
        ensure!(failures == 2, "{failures} failures");
        let log = c.node("a").agent().log_text().unwrap_or_default();
        let line = log.lines().find(|line| line.contains("endpoint left out")).context("no line of the ejection")?;
        ensure!(line.contains("broken") && line.contains("DestinationRule/default/web"), "{line}");
        for _ in 0..10 {
            let reply = client.reach(vip, &[])?;
            ensure!(reply.server == Some(good.at(Family::V4, 8080)), "{reply:?}");
        }
        // It is well again, and is chosen again when its time is over.
        broken.serve(8080, &[])?;
        until_ok("the endpoint to be back", Duration::from_secs(60), || {
            let reply = client.connect(vip, &[])?;
            match reply {
                Err(error) => bail!("{error}"),
                Ok(reply) => ensure!(reply.server == Some(broken.at(Family::V4, 8080)), "another one"),
            }
            Ok(())
        })?;
        ensure!(ejected()? == 1.0, "it was left out again");
    }

    fn sockets_to_endpoints_are_kept_alive_as_asked_for(c = Cluster::builder("keepalive").controlled()) {
        let m = mesh(c)?;
        c.service(service("far", &["10.96.3.1"], 80, 8080, &[&m.server]))?;
        c.service(service("plain", &["10.96.3.3"], 80, 8080, &[&m.outside]))?;
        c.apply("limit", &rule("all", "'*.default.svc.cluster.local'", "{connectionPool: {tcp: {tcpKeepalive: {time: 900s, interval: 5s, probes: 3}}}}"))?;
        let _held = [m.client.hold("10.96.3.1:80".parse()?, &["--count", "1"])?, m.client.hold("10.96.3.3:80".parse()?, &["--count", "1"])?];
        for to in [m.server.at(Family::V4, 15008), m.outside.at(Family::V4, 8080)] {
            let sockets = m.client.output("ss", &["-tnoH", "dst", &to.to_string()])?.success()?;
            // The agent's own default is 3 minutes, and only for what it accepts.
            ensure!(sockets.contains("timer:(keepalive,14min"), "{to}: {sockets}");
        }
    }

    /// What is said of it holds there, and not for the connections to the waypoint.
    fn a_service_with_a_waypoint_is_limited_by_the_waypoint_alone(c = Cluster::builder("behind").controlled()) {
        let (a, b) = (c.node("a"), c.node("b"));
        let client = a.pod("client").enrolled().start()?;
        let server = b.pod("details").label("app", "details").enrolled().start()?;
        server.serve(9080, &[])?;
        c.up()?;
        c.apply("service", BEHIND)?;
        let _waypoint = c.waypoint("waypoint").start()?;
        c.apply("limit", &rule("details", "details", "{connectionPool: {tcp: {maxConnections: 1}}}"))?;
        let vip: SocketAddr = "10.96.3.1:80".parse()?;
        until_ok("the waypoint to serve", SOON, || client.reach(vip, &["--timeout", "2000"]).map(drop))?;
        ensure!(!limited(c)?, "the agent has a limit of its own");
        let held = until("the one connection that may be", SOON, || client.hold(vip, &["--count", "1"]).ok().filter(|hold| hold.open == 1))?;
        client.fail(vip, &["--timeout", "2000"])?;
        let refused = c.node("a").agent().metrics()?.sum("istio_tcp_connections_failed_total", &[("response_flags", "UO")]);
        ensure!(refused.is_none(), "the agent refused it, and not the waypoint");
        drop(held);
        // Without the waypoint it is the agents' to do.
        c.apply("service", &BEHIND.replace(", labels: {istio.io/use-waypoint: waypoint}", ""))?;
        ensure!(limited(c)?, "nobody limits it");
        let held = client.hold(vip, &["--count", "2"])?;
        ensure!(held.open == 1, "{}", held.report);
    }
}

const BEHIND: &str = "apiVersion: v1\nkind: Service\n\
                      metadata: {name: details, namespace: default, labels: {istio.io/use-waypoint: waypoint}}\n\
                      spec: {clusterIP: 10.96.3.1, selector: {app: details}, ports: [{name: tcp, port: 80, targetPort: 9080}]}\n";
