//! Waypoints that come and go under load, as a rolling update has them: nobody's request fails.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use weir_harness::{Cluster, Pod, Waypoint, until_ok};

use crate::support::stories;

/// How long a change may take from a file to the agents.
const SOON: Duration = Duration::from_secs(20);
const PAGE: &str = "http://10.96.5.2/";

/// A client and a server, and two pods of one waypoint between them.
struct Two {
    client: Pod,
    waypoints: [Waypoint; 2],
}

impl Two {
    fn start(c: &Cluster) -> Result<Self> {
        let client = c.node("a").pod("client").enrolled().start()?;
        let server = c.node("b").pod("echo").enrolled().start()?;
        server.echo(&[8080])?;
        c.up()?;
        c.apply("services", SERVICES)?;
        let start = |name: &str, node: &str| {
            let waypoint = c.waypoint("waypoint").pod(name).on(&c.node(node));
            // Longer than the agents take to hear that it leaves.
            waypoint.flag("--drain-delay", "2s").start()
        };
        let two = Self { client, waypoints: [start("waypoint-1", "a")?, start("waypoint-2", "b")?] };
        c.settle()?;
        until_ok("the service", SOON, || {
            let answer = two.client.curl(PAGE)?;
            ensure!(answer.status == 200, "{answer:?}");
            Ok(())
        })?;
        Ok(two)
    }

    /// Requests that a waypoint's process has answered.
    fn answered(waypoint: &Waypoint) -> Result<f64> {
        Ok(waypoint.metrics()?.sum("istio_requests_total", &[("response_code", "200")]).unwrap_or_default())
    }

    /// Waits until it answers requests.
    fn takes_part(waypoint: &Waypoint) -> Result<()> {
        let before = Self::answered(waypoint)?;
        until_ok("a waypoint to take part", SOON, || {
            ensure!(Self::answered(waypoint)? > before, "it answers nothing");
            Ok(())
        })
    }
}

stories! {
    fn a_waypoint_that_leaves_fails_no_request(c = Cluster::builder("drain").controlled()) {
        let two = Two::start(c)?;
        // Long connections, and short ones; of both versions.
        let kinds: [&[&str]; 3] = [&["--requests", "1000000"], &["--requests", "5"], &["--requests", "1000000", "--http2"]];
        let loads = kinds.map(|args| two.client.read(PAGE, 4, args));
        for waypoint in &two.waypoints {
            Two::takes_part(waypoint)?;
        }
        for waypoint in &two.waypoints {
            // As Kubernetes does: the process is told at once, and everybody else in his own time.
            let process = waypoint.current()?;
            process.signal(rustix::process::Signal::TERM)?;
            waypoint.pod().set_leaving(true)?;
            let status = process.wait(Duration::from_secs(30))?;
            ensure!(status.success(), "{status}: {}", waypoint.log_text());
            let told = waypoint.log_text();
            ensure!(told.contains("\"drained\""), "it did not come to an end by itself: {told}");
            waypoint.start()?;
            waypoint.pod().set_leaving(false)?;
            Two::takes_part(waypoint)?;
        }
        for (load, args) in loads.into_iter().zip(kinds) {
            let seen = load?.stop()?;
            let good = seen["answers"]["200"].as_u64().context("no answers")?;
            ensure!(good > 100 && seen["asked"] == good, "{args:?}: {seen}");
        }
    }
}

const SERVICES: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: waypoint, namespace: default}\n\
                        spec: {clusterIP: 10.96.5.1, selector: {waypoint: waypoint}, ports: [{name: hbone, port: 15008}]}\n---\n\
                        apiVersion: v1\nkind: Service\n\
                        metadata: {name: echo, namespace: default, labels: {istio.io/use-waypoint: waypoint}}\n\
                        spec: {clusterIP: 10.96.5.2, selector: {app: echo}, ports: [{name: http, port: 80, targetPort: 8080}]}\n";
