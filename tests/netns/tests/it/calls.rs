//! Calls of gRPC through agents and a waypoint: of each kind, across changes of routes, and refused.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use weir_harness::{Asker, Cluster, until_ok};

use crate::support::stories;

/// How long a change may take from a file to the waypoint.
const SOON: Duration = Duration::from_secs(20);

/// A client and two versions of a server, with a waypoint between them.
struct Calls(Asker);

impl Calls {
    fn start(c: &Cluster) -> Result<Self> {
        let client = c.node("a").pod("client").enrolled().start()?;
        for version in ["v1", "v2"] {
            let pod = c.node("b").pod(version).label("app", "calls").label("version", version).enrolled();
            pod.start()?.echo(&[7070])?;
        }
        c.up()?;
        c.apply("services", &["", "v1", "v2"].map(service).concat())?;
        c.waypoint("waypoint").start()?;
        c.settle()?;
        Ok(Self(client.asker()?))
    }

    fn call(&mut self, method: &str, messages: &[&str]) -> Result<Value> {
        let answers = self.0.ask(&json!({"url": url(method), "messages": messages}))?;
        answers.into_iter().next().context("no answer")
    }

    /// Waits until a call ends so: who has answered, if somebody has, and the status.
    fn soon(&mut self, method: &str, server: Option<&str>, status: &str) -> Result<()> {
        until_ok(&format!("{method}: {server:?} {status}"), SOON, || {
            let call = self.call(method, &["hello"])?;
            let seen = (call["messages"][0]["name"].as_str(), call["grpcStatus"].as_str());
            ensure!(seen == (server, Some(status)) && call["status"] == 200, "{call}");
            Ok(())
        })
    }
}

stories! {
    fn calls_of_each_kind_pass_a_waypoint(c = Cluster::builder("calls").controlled()) {
        let mut calls = Calls::start(c)?;
        c.apply("routes", &route("v1", ""))?;
        calls.soon("Unary", Some("v1"), "0")?;
        for (kind, messages, said) in [
            ("Unary", &["one"][..], &["one"][..]),
            ("Client", &["one", "two", "three"], &["one,two,three"]),
            ("Server", &["4"], &["0", "1", "2", "3"]),
            ("Bidi", &["one", "two"], &["one", "two"]),
        ] {
            let call = calls.call(kind, messages)?;
            let got: Vec<_> = call["messages"].as_array().into_iter().flatten().map(|message| &message["said"]).collect();
            ensure!(got == said && call["grpcStatus"] == "0", "{kind}: {call}");
        }
    }

    fn a_call_outlives_its_route(c = Cluster::builder("outlives").controlled()) {
        let mut calls = Calls::start(c)?;
        c.apply("routes", &route("v1", ""))?;
        calls.soon("Unary", Some("v1"), "0")?;
        calls.0.open(&json!({"url": url("Bidi"), "messages": []}))?;
        let say = |calls: &mut Calls, text: &str| {
            let answer = calls.0.say(text)?;
            let message = &answer["message"];
            ensure!(message["name"] == "v1" && message["said"] == text, "{answer}");
            Ok::<_, anyhow::Error>(())
        };
        say(&mut calls, "before")?;
        c.apply("routes", &route("v2", ""))?;
        calls.soon("Unary", Some("v2"), "0")?;
        say(&mut calls, "after a change")?;
        c.apply("routes", &route("nobody", ""))?;
        calls.soon("Unary", None, UNAVAILABLE)?;
        say(&mut calls, "after an end")?;
        let end = calls.0.close()?;
        ensure!(end["grpcStatus"] == "0", "{end}");
    }

    fn a_call_that_is_refused_is_told_by_its_status(c = Cluster::builder("refused").controlled()) {
        let mut calls = Calls::start(c)?;
        let only_unary = "matches: [{method: {service: weir.Echo, method: Unary}}]";
        c.apply("routes", &route("v1", only_unary))?;
        calls.soon("Unary", Some("v1"), "0")?;
        // No rule is about it; and the server's own word.
        calls.soon("Bidi", None, UNIMPLEMENTED)?;
        c.apply("routes", &route("v1", ""))?;
        calls.soon("Bidi", Some("v1"), "0")?;
        calls.soon("Nonsense", None, UNIMPLEMENTED)?;
        c.apply("policy", POLICY)?;
        calls.soon("Unary", None, PERMISSION_DENIED)?;
        calls.soon("Bidi", Some("v1"), "0")?;
    }
}

fn url(method: &str) -> String {
    format!("http://10.96.6.1:7070/weir.Echo/{method}")
}

/// Of one version, or of both.
fn service(version: &str) -> String {
    let (name, address, selector) = match version {
        "" => ("calls".to_owned(), "clusterIP: 10.96.6.1, ", String::new()),
        _ => (format!("calls-{version}"), "", format!(", version: {version}")),
    };
    format!(
        "apiVersion: v1\nkind: Service\n\
         metadata: {{name: {name}, namespace: default, labels: {{istio.io/use-waypoint: waypoint}}}}\n\
         spec: {{{address}selector: {{app: calls{selector}}}, ports: [{{name: grpc, port: 7070}}]}}\n---\n"
    )
}

fn route(version: &str, matches: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {{name: calls, namespace: default}}\nspec:\n  \
         parentRefs: [{{group: '', kind: Service, name: calls}}]\n  \
         rules:\n  - backendRefs: [{{name: calls-{version}, port: 7070}}]\n    {matches}\n"
    )
}

const POLICY: &str = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
                      metadata: {name: no-unary, namespace: default}\nspec:\n  \
                      targetRefs: [{group: '', kind: Service, name: calls}]\n  action: DENY\n  \
                      rules: [{to: [{operation: {paths: [/weir.Echo/Unary]}}]}]\n";

// https://grpc.github.io/grpc/core/md_doc_statuscodes.html
const PERMISSION_DENIED: &str = "7";
const UNIMPLEMENTED: &str = "12";
const UNAVAILABLE: &str = "14";
