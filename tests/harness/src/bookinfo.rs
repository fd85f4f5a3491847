//! Bookinfo in a cluster: its services as pods, a waypoint before them, and a reader.

use std::io::{BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::read_line;
use crate::{Cluster, Pod, Process, Waypoint, tool, until_ok};

/// Productpage and a reader on the first node, the rest on the last; all in the mesh, and all requests by way of a waypoint.
#[derive(Debug)]
pub struct Bookinfo {
    /// The pod from which requests come.
    pub reader: Pod,
    /// The namespace's waypoint.
    pub waypoint: Waypoint,
    /// The pod of ratings, and what runs in it.
    pub ratings: (Pod, Process),
}

/// An answer of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON; a string if it is none.
    pub body: Value,
}

/// A reader that asks until it is told to stop.
#[derive(Debug)]
pub struct Reading {
    process: Process,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
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
        let book = PODS.iter().map(|(node, app, version)| pod(cluster, node, app, version));
        let ratings = book.collect::<Result<Vec<_>>>()?.pop().context("Bookinfo without pods")?;
        cluster.up()?;
        cluster.apply("bookinfo", &objects())?;
        let waypoint = cluster.waypoint("waypoint").namespace(Self::NAMESPACE).start()?;
        cluster.settle()?;
        Ok(Self { reader, waypoint, ratings })
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
        let (url, connections) = (format!("http://{}/reviews/0", Self::REVIEWS), connections.to_string());
        let all = [&["reader", &url, "--connections", &connections], args].concat();
        let (process, stdin, mut stdout) = self.reader.place().converse(&program()?, &all)?;
        read_line(&mut stdout).with_context(|| process.log())?;
        Ok(Reading { process, stdin, stdout })
    }

    /// Ends what runs as ratings, and starts it with other arguments.
    pub fn restart_ratings(&mut self, args: &[&str]) -> Result<()> {
        self.ratings.1.kill()?;
        let all = [&["--listen", "[::]:9080", "ratings"], args].concat();
        self.ratings.1 = self.ratings.0.spawn(&program()?, &all)?;
        self.ratings.0.wait_listening(9080)
    }
}

impl Reading {
    /// Tells it to stop, and gives what it has counted: `asked`, `answers` by status and version, `failures` by reason,
    /// `longest_ms`, `revisions`.
    pub fn stop(self) -> Result<Value> {
        let Self { process, mut stdin, mut stdout } = self;
        stdin.flush()?;
        drop(stdin);
        let line = read_line(&mut stdout).with_context(|| process.log())?;
        process.wait(Duration::from_secs(30))?;
        Ok(serde_json::from_str(&line)?)
    }
}

fn pod(cluster: &Cluster, node: &str, app: &str, version: &str) -> Result<(Pod, Process)> {
    let name = format!("{app}-{version}");
    let pod = cluster.node(node).pod(&name).namespace(Bookinfo::NAMESPACE).enrolled();
    let pod = pod.label("app", app).label("version", version).start()?;
    let url = |address: &str| format!("http://{address}");
    let (details, reviews, ratings) =
        (url(Bookinfo::DETAILS), url(Bookinfo::REVIEWS), url(Bookinfo::RATINGS));
    let args: &[&str] = match app {
        "productpage" => &["--details", &details, "--reviews", &reviews, "--ratings", &ratings],
        "reviews" => &["--version", version, "--ratings", &ratings, "--pod", &name],
        _ => &[],
    };
    let process = pod.spawn(&program()?, &[&["--listen", "[::]:9080", app], args].concat())?;
    pod.wait_listening(9080)?;
    Ok((pod, process))
}

/// The services, and a namespace that asks for the waypoint.
fn objects() -> String {
    let services = [
        ("productpage", Bookinfo::PRODUCTPAGE),
        ("reviews", Bookinfo::REVIEWS),
        ("ratings", Bookinfo::RATINGS),
        ("details", Bookinfo::DETAILS),
    ];
    let service = |(name, at): &(&str, &str)| {
        let ip = at.trim_end_matches(":9080");
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: bookinfo}}\n\
             spec: {{clusterIP: {ip}, selector: {{app: {name}}}, ports: [{{name: http, port: 9080}}]}}\n---\n"
        )
    };
    let services: String = services.iter().map(service).collect();
    services
        + "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: bookinfo\n  labels: {istio.io/use-waypoint: waypoint}\n"
}

fn answer(record: &str) -> Result<Answer> {
    let (body, status) = record.rsplit_once(FIELD).context("curl's -w text is missing")?;
    let body = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
    Ok(Answer { status: status.parse()?, body })
}

fn program() -> Result<String> {
    Ok(tool::binary("weir-bookinfo")?.to_string_lossy().into_owned())
}

/// Node, service and version of each pod; ratings is the last.
const PODS: [(&str, &str, &str); 6] = [
    ("a", "productpage", "v1"),
    ("b", "details", "v1"),
    ("b", "reviews", "v1"),
    ("b", "reviews", "v2"),
    ("b", "reviews", "v3"),
    ("b", "ratings", "v1"),
];
/// How long a change may take from a file to the waypoint.
const SOON: Duration = Duration::from_secs(20);
/// Between body and status, and between answers: in neither.
const FIELD: char = '\u{1f}';
const RECORD: char = '\u{1e}';
