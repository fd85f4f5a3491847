//! Bookinfo in a cluster: its services as pods, a waypoint before them, and a reader.

mod cast;
mod fire;
mod reading;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{Cluster, Pod, Process, Waypoint, http, until_ok};
pub use fire::{Fire, FireReport, Growth};
pub use reading::Reading;

/// Productpage and a reader on the first node, the rest on the last; all in the mesh, and all requests by way of a waypoint.
#[derive(Debug)]
pub struct Bookinfo {
    /// The pod from which requests come.
    pub reader: Pod,
    /// The namespace's waypoint.
    pub waypoint: Waypoint,
    services: Vec<(Pod, Process)>,
}

/// An answer of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON; a string if it is none.
    pub body: Value,
}

impl Bookinfo {
    /// Address of productpage.
    pub const PRODUCTPAGE: &str = "10.96.1.1:9080";
    /// Address of reviews.
    pub const REVIEWS: &str = "10.96.1.2:9080";
    /// Address of ratings.
    pub const RATINGS: &str = "10.96.1.3:9080";
    /// Address of details.
    pub const DETAILS: &str = "10.96.1.4:9080";
    /// The namespace of all of it.
    pub const NAMESPACE: &str = "bookinfo";

    /// Makes the pods, starts what of the cluster does not run yet, and then the waypoint.
    pub fn start(cluster: &Cluster) -> Result<Self> {
        let reader = cluster.node("a").pod("reader").namespace(Self::NAMESPACE).enrolled().start()?;
        let services = cast::PODS.iter().map(|(node, app, version)| cast::pod(cluster, node, app, version));
        let services = services.collect::<Result<_>>()?;
        cluster.up()?;
        cluster.apply("bookinfo", &cast::objects())?;
        let waypoint = cluster.waypoint("waypoint").namespace(Self::NAMESPACE).start()?;
        cluster.settle()?;
        Ok(Self { reader, waypoint, services })
    }

    /// The reader asks for a page of a service (`host:port/path`) so many times over one connection.
    pub fn ask(&self, page: &str, user: &str, times: usize) -> Result<Vec<Answer>> {
        // curl counts in the query, which nobody reads.
        let url = format!("http://{page}?[1-{times}]");
        let user = format!("end-user: {user}");
        let mark = format!("{FIELD}%{{http_code}}{RECORD}");
        let args = ["-sS", "--max-time", "30", "-H", &user, "-w", &mark, &url];
        let text = self.reader.output("curl", &args)?.success()?;
        let answers: Vec<_> = text.split_terminator(RECORD).map(answer).collect::<Result<_>>()?;
        ensure!(answers.len() == times, "{} answers to {times} requests: {text:?}", answers.len());
        Ok(answers)
    }

    /// Versions of reviews that have answered, of so many requests; an error if one failed.
    pub fn versions(&self, user: &str, times: usize) -> Result<Vec<String>> {
        let answers = self.ask(&format!("{}/reviews/0", Self::REVIEWS), user, times)?;
        let version = |answer: Answer| {
            ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
            Ok(answer.body["version"].as_str().unwrap_or_default().to_owned())
        };
        answers.into_iter().map(version).collect()
    }

    /// Waits until reviews answers this user only by these versions, and by each of them.
    pub fn soon(&self, user: &str, versions: &[&str]) -> Result<()> {
        until_ok(&format!("reviews of {versions:?} for {user}"), SOON, || {
            let mut seen = self.versions(user, if versions.len() == 1 { 5 } else { 40 })?;
            seen.sort_unstable();
            seen.dedup();
            ensure!(seen == versions, "they are of {seen:?}");
            Ok(())
        })
    }

    /// Starts a reader of reviews over so many connections.
    pub fn read(&self, connections: usize, args: &[&str]) -> Result<Reading> {
        self.reader.read(&format!("http://{}/reviews/0", Self::REVIEWS), connections, args)
    }

    /// The pod of this name, as `reviews-v1`.
    pub fn pod(&self, name: &str) -> Result<&Pod> {
        let found = self.services.iter().find(|(pod, _)| pod.name() == name);
        found.map(|(pod, _)| pod).with_context(|| format!("Bookinfo has no pod {name}"))
    }

    /// How many requests the process in this pod has had.
    pub fn asked(&self, name: &str) -> Result<u64> {
        let at = (IpAddr::V4(Ipv4Addr::LOCALHOST), 9080).into();
        let (status, text) = http::get(self.pod(name)?.netns(), at, "/health")?;
        let asked = serde_json::from_str::<Value>(&text).ok().and_then(|value| value["asked"].as_u64());
        asked.with_context(|| format!("{name} answered {status} {text:?}"))
    }

    /// Ends what runs in this pod, and starts it with more arguments.
    pub fn restart(&mut self, name: &str, args: &[&str]) -> Result<()> {
        let found = self.services.iter_mut().find(|(pod, _)| pod.name() == name);
        let (pod, process) = found.with_context(|| format!("Bookinfo has no pod {name}"))?;
        process.kill()?;
        let (app, version) = name.rsplit_once('-').unwrap_or((name, "v1"));
        *process = cast::serve(pod, app, version, args)?;
        Ok(())
    }
}

fn answer(record: &str) -> Result<Answer> {
    let (body, status) = record.rsplit_once(FIELD).context("curl's -w text is missing")?;
    let body = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
    Ok(Answer { status: status.parse()?, body })
}

/// How long a change may take from a file to the waypoint.
const SOON: Duration = Duration::from_secs(20);
/// Between body and status, and between answers: in neither.
const FIELD: char = '\u{1f}';
const RECORD: char = '\u{1e}';
