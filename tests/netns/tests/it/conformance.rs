//! The mesh cases of the Gateway API's conformance suite (`conformance/tests/mesh`, August 2026; profiles MESH-HTTP and MESH-GRPC, core
//! and extended), through real agents and a real waypoint. The facts are the suite's: objects, requests and what must come of them; every
//! case waits for its own routes, and then nothing of it may come late.

mod cases;
mod line;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use weir_harness::{Asker, Cluster, Waypoint, until_ok};

use crate::support::stories;
use cases::{Case, Route};
use line::Line;

/// How long a change may take from a file to the waypoint.
const SOON: Duration = Duration::from_secs(20);
/// Requests from which a share is counted.
const MANY: u16 = 200;

stories! {
    fn the_gateway_apis_mesh_conformance(c = Cluster::builder("conformance").controlled()) {
        let mut mesh = Mesh::start(c)?;
        for case in cases::ALL {
            mesh.hold(c, case).context(case.name)?;
        }
    }
}

/// Two versions of one program, which are the clients, too; and a client in another namespace.
pub(crate) struct Mesh {
    v1: Asker,
    consumer: Asker,
    waypoint: Waypoint,
    /// Address of the second version's pod.
    v2: String,
}

impl Mesh {
    pub(crate) fn start(c: &Cluster) -> Result<Self> {
        let pod = |node: &str, name: &str, version: &str| {
            let pod = c.node(node).pod(name).namespace("mesh").enrolled();
            let pod = pod.label("app", "echo").label("version", version).start()?;
            pod.echo(&[8080, 7070])?;
            anyhow::Ok(pod)
        };
        let (v1, v2) = (pod("a", "echo-v1", "v1")?, pod("b", "echo-v2", "v2")?);
        let consumer = c.node("a").pod("consumer").namespace("consumer").enrolled().start()?;
        c.up()?;
        c.apply("services", &cases::services())?;
        let waypoint = c.waypoint("waypoint").namespace("mesh").start()?;
        c.settle()?;
        Ok(Self { v1: v1.asker()?, consumer: consumer.asker()?, waypoint, v2: v2.v4().to_string() })
    }

    fn hold(&mut self, c: &Cluster, case: &Case) -> Result<()> {
        c.apply("case", &case.objects())?;
        until_ok("its routes, and no others", SOON, || {
            let dump = self.waypoint.config_dump()?.to_string();
            let is_there = |route: &Route| dump.contains(&format!("{}/", route.object("/")));
            let mut others =
                cases::ALL.iter().filter(|other| other.name != case.name).flat_map(|other| other.routes);
            let missing = case.routes.iter().find(|route| !is_there(route));
            ensure!(missing.is_none(), "{missing:?} is not at the waypoint");
            let left = others.find(|route| is_there(route));
            ensure!(left.is_none(), "{left:?} is still at the waypoint");
            Ok(())
        })?;
        for route in case.routes {
            accepted(c, route)?;
        }
        for line in case.asks.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let line = Line::parse(line)?;
            self.check(&line).with_context(|| line.text.to_owned())?;
        }
        if let Some((ask, share)) = case.share {
            self.share(&Line::parse(ask)?, share)?;
        }
        Ok(())
    }

    fn asker(&mut self, line: &Line<'_>) -> &mut Asker {
        if line.is_consumer { &mut self.consumer } else { &mut self.v1 }
    }

    /// Over both versions of HTTP it must be the same.
    fn check(&mut self, line: &Line<'_>) -> Result<()> {
        for http2 in [false, true] {
            let mut ask = line.ask(&self.v2, 1)?;
            ask["http2"] = http2.into();
            let answers = self.asker(line).ask(&ask)?;
            let [answer] = answers.as_slice() else { bail!("{} answers", answers.len()) };
            line.compare(answer).with_context(|| format!("HTTP/2: {http2}: {answer}"))?;
        }
        Ok(())
    }

    /// Of so many, the first version has so many percent; the chance to be outside of this by accident is less than one in a million.
    fn share(&mut self, line: &Line<'_>, percent: f64) -> Result<()> {
        let ask = line.ask(&self.v2, MANY.into())?;
        let answers = self.asker(line).ask(&ask)?;
        let of = |name| answers.iter().filter(|answer| line::backend(answer) == Some(name)).count();
        let (v1, v2) = (u32::try_from(of("echo-v1"))?, u32::try_from(of("echo-v2"))?);
        ensure!(v1 + v2 == u32::from(MANY), "v1 {v1} times, v2 {v2} times of {MANY}");
        let expected = f64::from(MANY) * percent / 100.0;
        let deviation = (expected * (1.0 - percent / 100.0)).sqrt();
        ensure!((f64::from(v1) - expected).abs() <= 5.0 * deviation, "{v1} of {MANY}, {expected} expected");
        Ok(())
    }
}

/// The route is accepted at its parent, and what it names is there.
fn accepted(c: &Cluster, route: &Route) -> Result<()> {
    let object = route.object(" ");
    until_ok("its status", SOON, || {
        let statuses = c.controller().debug("status")?;
        let found = statuses.as_array().and_then(|all| all.iter().find(|status| status["object"] == *object));
        let conditions = &found.with_context(|| format!("nothing of {object}"))?["parents"][0]["conditions"];
        for kind in ["Accepted", "ResolvedRefs"] {
            let condition = conditions.as_array().and_then(|all| all.iter().find(|one| one["type"] == kind));
            let expected = if kind == "Accepted" || route.resolves { "True" } else { "False" };
            let status = condition.map(|condition| &condition["status"]);
            ensure!(
                status.is_some_and(|status| status == expected),
                "{kind} is not {expected}: {conditions}"
            );
        }
        Ok(())
    })
}
