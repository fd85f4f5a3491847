//! What is behind a waypoint: nobody gets past it, and the destination learns for whom it asks.

use std::time::Duration;

use anyhow::{Result, ensure};
use weir_harness::{Cluster, Family, Pod, Waypoint, binary, until_ok};

use crate::support::stories;

/// A server on node `b` behind a waypoint, who asks for it from the mesh and from outside of it.
struct Bound {
    client: Pod,
    /// In the mesh, with another label.
    other: Pod,
    stranger: Pod,
    server: Pod,
    waypoint: Waypoint,
}

const VIP: &str = "10.96.2.1";
/// How long a change may take from a file to the agents.
const SOON: Duration = Duration::from_secs(20);

impl Bound {
    fn start(c: &Cluster) -> Result<Self> {
        let (a, b) = (c.node("a"), c.node("b"));
        let client = a.pod("client").label("tier", "front").enrolled().start()?;
        let other = a.pod("other").label("tier", "back").enrolled().start()?;
        let stranger = a.pod("stranger").start()?;
        let server = b.pod("details").label("app", "details").enrolled().start()?;
        for port in ["9080", "9090"] {
            let listen = format!("[::]:{port}");
            server.spawn(&binary("weir-bookinfo")?.to_string_lossy(), &["--listen", &listen, "details"])?;
        }
        c.up()?;
        c.apply("service", SERVICE)?;
        let waypoint = c.waypoint("waypoint").start()?;
        c.settle()?;
        Ok(Self { client, other, stranger, server, waypoint })
    }

    /// A page of the server, as somebody gets it; `None`: the connection is refused.
    fn get(&self, who: &Pod, host: &str) -> Option<u16> {
        who.curl(&format!("http://{host}/details/0")).ok().map(|answer| answer.status)
    }

    fn direct(&self, port: u16) -> String {
        self.server.at(Family::V4, port).to_string()
    }

    /// By way of the waypoint; directly, from the mesh and from outside; at a port of no service, from outside.
    fn soon(&self, what: &str, expected: [Option<u16>; 4]) -> Result<()> {
        until_ok(what, SOON, || {
            let got = [
                self.get(&self.client, VIP),
                self.get(&self.client, &self.direct(9080)),
                self.get(&self.stranger, &self.direct(9080)),
                self.get(&self.stranger, &self.direct(9090)),
            ];
            ensure!(got == expected, "{got:?} instead of {expected:?}");
            Ok(())
        })
    }
}

const OPEN: [Option<u16>; 4] = [Some(200); 4];
const GUARDED: [Option<u16>; 4] = [Some(200), None, None, Some(200)];

stories! {
    fn nobody_gets_past_a_waypoint_that_must_be_passed(c = Cluster::builder("past").controlled()) {
        let bound = Bound::start(c)?;
        bound.soon("everything to be open", OPEN)?;
        // What the waypoint would enforce must not be lost.
        c.apply("policy", POLICY)?;
        bound.soon("what goes around it to be refused", GUARDED)?;
        let denied = c.node("b").agent().wait_access_log(&[("policy", GUARD), ("direction", "inbound")])?;
        ensure!(denied["error"].as_str().is_some_and(|why| why.contains(GUARD)), "{denied}");
        // With Istio's way, for this service.
        c.apply("service", &SERVICE.replace("{istio.io", "{weir.dev/require-waypoint: 'false', istio.io"))?;
        bound.soon("everything to be open again", OPEN)?;
        // And without a policy, if it says so.
        c.delete("policy")?;
        c.apply("service", &SERVICE.replace("{istio.io", "{weir.dev/require-waypoint: 'true', istio.io"))?;
        bound.soon("what goes around it to be refused again", GUARDED)?;
    }

    fn routes_tell_clients_by_their_labels(c = Cluster::builder("labels").controlled()) {
        let bound = Bound::start(c)?;
        bound.soon("everything to be open", OPEN)?;
        c.apply("routes", BY_LABEL)?;
        let soon = |what, front: u16, back: u16| {
            until_ok(what, SOON, || {
                let got = (bound.get(&bound.client, VIP), bound.get(&bound.other, VIP));
                ensure!(got == (Some(front), Some(back)), "{got:?}");
                Ok(())
            })
        };
        soon("the rule to hold for those of the front", 418, 200)?;
        bound.client.relabel("tier", "back")?;
        bound.other.relabel("tier", "front")?;
        soon("the rule to follow the labels", 200, 418)?;
        // Somebody new is known from the first request on.
        let late = c.node("a").pod("late").label("tier", "front").enrolled().start()?;
        c.settle()?;
        until_ok("the new pod to be served", SOON, || {
            let got = bound.get(&late, VIP);
            ensure!(got != Some(200), "the rule does not hold for the first request");
            ensure!(got == Some(418), "{got:?}");
            Ok(())
        })?;
        c.delete("routes")?;
        soon("the rule to be gone", 200, 200)?;
    }

    fn a_pod_is_reached_through_its_waypoint_by_its_own_address(c = Cluster::builder("pod-waypoint").controlled()) {
        let bound = Bound::start(c)?;
        bound.soon("everything to be open", OPEN)?;
        let ip = bound.waypoint.pod().v4();
        c.apply("waypoint-default-waypoint", &FOR_ALL.replace("ADDRESS", &ip.to_string()))?;
        bound.server.relabel("istio.io/use-waypoint", "waypoint")?;
        c.settle()?;
        // At a port of no service, too; and who is not of the mesh goes around it, as long as nothing is lost.
        bound.soon("everything to be open still", OPEN)?;
        let asked = |port: u16| {
            let hbone = bound.direct(port);
            let line = [("direction", "outbound"), ("dst.workload", "waypoint"), ("dst.hbone_addr", hbone.as_str())];
            c.node("a").agent().wait_access_log(&line)
        };
        until_ok("its own address to be asked for at the waypoint", SOON, || {
            bound.get(&bound.client, &bound.direct(9090));
            asked(9090).map(drop)
        })?;
        c.apply("policy", OF_GATEWAY)?;
        bound.soon("what goes around it to be refused", [Some(403), Some(403), None, None])?;
        c.apply("policy", &OF_GATEWAY.replace("POST", "GET"))?;
        bound.soon("the policy to allow it", [Some(200), Some(200), None, None])?;
    }

    fn the_destination_learns_for_whom_a_waypoint_asks(c = Cluster::builder("whom").controlled()) {
        let bound = Bound::start(c)?;
        bound.soon("everything to be open", OPEN)?;
        // A connection is in the log when it has ended, and a waypoint keeps those to its endpoints.
        bound.waypoint.terminate()?;
        let line = c.node("b").agent().wait_access_log(&[
            ("direction", "inbound"),
            ("src.workload", "waypoint"),
            ("origin.identity", &bound.client.identity()),
        ])?;
        ensure!(line["src.identity"].as_str().is_some_and(|id| id.ends_with("/sa/waypoint")), "{line}");
    }
}

/// Those of the front are told something, and whoever is not of the front gets the page.
const BY_LABEL: &str = "apiVersion: networking.istio.io/v1\nkind: VirtualService\n\
                        metadata: {name: details, namespace: default}\nspec:\n  hosts: [details]\n  http:\n  \
                        - {match: [{sourceLabels: {tier: front}}], directResponse: {status: 418}}\n  \
                        - {route: [{destination: {host: details}}]}\n";

const SERVICE: &str = "apiVersion: v1\nkind: Service\n\
                       metadata: {name: details, namespace: default, labels: {istio.io/use-waypoint: waypoint}}\n\
                       spec: {clusterIP: 10.96.2.1, selector: {app: details}, ports: [{name: http, port: 80, targetPort: 9080}]}\n";

const POLICY: &str = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
                      metadata: {name: read-only, namespace: default}\nspec:\n  \
                      targetRefs: [{group: \"\", kind: Service, name: details}]\n  \
                      rules: [{to: [{operation: {methods: [GET]}}]}]\n";

const OF_GATEWAY: &str = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
                          metadata: {name: some, namespace: default}\nspec:\n  \
                          targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]\n  \
                          rules: [{to: [{operation: {methods: [POST]}}]}]\n";

const FOR_ALL: &str = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n\
                       metadata: {name: waypoint, namespace: default, labels: {istio.io/waypoint-for: all}}\n\
                       spec:\n  gatewayClassName: weir-waypoint\n  \
                       listeners: [{name: mesh, port: 15008, protocol: HBONE}]\n\
                       status:\n  addresses: [{type: IPAddress, value: ADDRESS}]\n";

const GUARD: &str = "default/weir_waypoint_only_default.waypoint_9080";
