//! Requests that go by way of a waypoint: real agents on both sides, the real waypoint and controller, and Bookinfo.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;
use weir_harness::{Cluster, Pod, Waypoint, binary, until_ok};

use crate::support::stories;

/// The services of Bookinfo on node `b`, and a reader on node `a`.
struct Bookinfo {
    reader: Pod,
    waypoint: Waypoint,
}

const REVIEWS: &str = "10.96.1.2:9080";
const RATINGS: &str = "10.96.1.3:9080";
/// How long a change may take from a file to the waypoint.
const SOON: Duration = Duration::from_secs(20);

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../../../deploy/samples/bookinfo/", $name, ".yaml"))
    };
}

impl Bookinfo {
    fn start(c: &Cluster) -> Result<Self> {
        let (a, b) = (c.node("a"), c.node("b"));
        let reader = a.pod("reader").namespace("bookinfo").enrolled().start()?;
        for (app, version) in [("reviews", "v1"), ("reviews", "v2"), ("reviews", "v3"), ("ratings", "v1")] {
            let pod = b.pod(&format!("{app}-{version}")).namespace("bookinfo").enrolled();
            let pod = pod.label("app", app).label("version", version).start()?;
            let mut args = vec!["--listen", "[::]:9080", app];
            let ratings = format!("http://{RATINGS}");
            if app == "reviews" {
                args.extend(["--version", version, "--ratings", &ratings, "--pod", pod.name()]);
            }
            pod.spawn(&binary("weir-bookinfo")?.to_string_lossy(), &args)?;
            pod.wait_listening(9080)?;
        }
        c.up()?;
        let service = |name: &str, at: &str| {
            let ip = at.split(':').next().unwrap_or_default();
            format!(
                "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: bookinfo}}\n\
                 spec: {{clusterIP: {ip}, selector: {{app: {name}}}, ports: [{{name: http, port: 9080}}]}}\n---\n"
            )
        };
        c.apply("services", &(service("reviews", REVIEWS) + &service("ratings", RATINGS) + NAMESPACE))?;
        let waypoint = c.waypoint("waypoint").namespace("bookinfo").start()?;
        c.settle()?;
        Ok(Self { reader, waypoint })
    }

    /// One answer of reviews: its status and, of 200, its version.
    fn ask(&self, user: &str) -> Result<(u16, Value)> {
        let user = format!("end-user: {user}");
        let answer = self.reader.curl_with(&["-H", &user], &format!("http://{REVIEWS}/reviews/0"))?;
        Ok((answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::String(answer.body))))
    }

    fn version(&self, user: &str) -> Result<String> {
        let (status, answer) = self.ask(user)?;
        ensure!(status == 200, "{status}: {answer}");
        Ok(answer["version"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits until so many answers in a row are as they should be.
    fn soon(&self, what: &str, times: usize, check: impl Fn() -> Result<()>) -> Result<()> {
        until_ok(what, SOON, || (0..times).try_for_each(|_| check()))
    }

    /// Version 3 asks ratings, but nobody sees its answers.
    fn mirrors_to_v3(&self) -> Result<()> {
        let asked = || {
            let of_v3 = [("source_principal", "spiffe://cluster.local/ns/bookinfo/sa/reviews-v3")];
            Ok::<_, anyhow::Error>(self.waypoint.metrics()?.sum("istio_requests_total", &of_v3))
        };
        self.soon_version("x", "v1")?;
        let before = asked()?;
        self.soon("a mirrored request", 1, || {
            ensure!(self.version("x")? == "v1", "the mirror's answer");
            ensure!(asked()? > before, "version 3 has asked nothing");
            Ok(())
        })
    }

    fn soon_versions(&self, versions: [&str; 2]) -> Result<()> {
        self.soon("both versions and no other", 1, || {
            let seen = (0..40).map(|_| self.version("x")).collect::<Result<BTreeSet<_>>>()?;
            ensure!(seen.iter().eq(versions), "{seen:?}");
            Ok(())
        })
    }

    fn soon_version(&self, user: &str, version: &str) -> Result<()> {
        self.soon(&format!("version {version} for {user}"), 5, || {
            let seen = self.version(user)?;
            ensure!(seen == version, "it is {seen}");
            Ok(())
        })
    }
}

const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: bookinfo\n  \
                         labels: {istio.io/use-waypoint: waypoint}\n";

/// Requests of a reader, one after another, until it is told to stop.
fn load(reader: &Pod, stop: &AtomicBool) -> (usize, Vec<String>) {
    let (mut all, mut failed) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        all += 1;
        match reader.curl(&format!("http://{REVIEWS}/reviews/0")) {
            Ok(answer) if answer.status == 200 => {}
            Ok(answer) => failed.push(format!("{}: {}", answer.status, answer.body)),
            Err(error) => failed.push(format!("{error:#}")),
        }
    }
    (all, failed)
}

stories! {
    fn a_waypoint_sends_requests_where_routes_say(c = Cluster::builder("waypoint").controlled()) {
        let book = Bookinfo::start(c)?;
        let counter = c.node("a").count_link()?;
        book.soon("every version without routes", 1, || {
            let seen = (0..20).map(|_| book.version("x")).collect::<Result<BTreeSet<_>>>()?;
            ensure!(seen.len() == 3, "{seen:?}");
            Ok(())
        })?;
        c.apply("subsets", sample!("istio/subsets"))?;
        c.apply("routes", sample!("istio/all-v1"))?;
        book.soon_version("x", "v1")?;
        c.apply("routes", sample!("istio/reviews-90-10"))?;
        book.soon("version 2 to be seen", 1, || {
            ensure!((0..10).any(|_| book.version("x").is_ok_and(|seen| seen == "v2")), "it is not");
            Ok(())
        })?;
        let seen = (0..200).map(|_| book.version("x")).collect::<Result<Vec<_>>>()?;
        let [v1, v2] = ["v1", "v2"].map(|version| seen.iter().filter(|seen| *seen == version).count());
        // 20 expected; the chance to be outside of this is less than one in a million.
        ensure!(v1 + v2 == 200 && (3..=44).contains(&v2), "v1 {v1} times, v2 {v2} times");
        c.apply("routes", sample!("istio/reviews-50-50"))?;
        book.soon_versions(["v2", "v3"])?;
        c.apply("routes", sample!("istio/reviews-jason-v2"))?;
        book.soon_version("jason", "v2")?;
        book.soon_version("x", "v1")?;
        c.apply("routes", sample!("istio/reviews-mirror"))?;
        book.mirrors_to_v3()?;
        assert_eq!(counter.read()?.1, 0, "TCP packets outside the tunnel");
    }

    fn a_waypoint_takes_the_gateway_apis_routes(c = Cluster::builder("routes").controlled()) {
        let book = Bookinfo::start(c)?;
        c.apply("versions", sample!("gateway-api/versions"))?;
        c.apply("routes", sample!("gateway-api/reviews-v1"))?;
        book.soon_version("x", "v1")?;
        c.apply("routes", sample!("gateway-api/reviews-jason-v2"))?;
        book.soon_version("jason", "v2")?;
        book.soon_version("x", "v1")?;
        for (routes, versions) in [
            (sample!("gateway-api/reviews-90-10"), ["v1", "v2"]),
            (sample!("gateway-api/reviews-50-50"), ["v2", "v3"]),
        ] {
            c.apply("routes", routes)?;
            book.soon_versions(versions)?;
        }
        c.apply("routes", sample!("gateway-api/reviews-mirror"))?;
        book.mirrors_to_v3()?;
        // Routes of both kinds, each of another service.
        c.apply("subsets", sample!("istio/subsets"))?;
        c.apply("faults", sample!("istio/ratings-delay"))?;
        c.apply("routes", sample!("gateway-api/reviews-timeout"))?;
        book.soon("reviews to be late for jason", 1, || {
            let (status, answer) = book.ask("jason")?;
            ensure!(status == 504, "{status}: {answer}");
            Ok(())
        })?;
        book.soon_version("x", "v2")?;
    }

    fn a_waypoint_makes_failures_on_purpose(c = Cluster::builder("faults").controlled()) {
        let book = Bookinfo::start(c)?;
        c.apply("subsets", sample!("istio/subsets"))?;
        c.apply("routes", sample!("istio/reviews-jason-v2"))?;
        book.soon_version("jason", "v2")?;
        c.apply("faults", sample!("istio/ratings-abort"))?;
        book.soon("ratings to fail for jason", 1, || {
            let (_, answer) = book.ask("jason")?;
            let text = answer["reviews"][0]["rating"]["error"].to_string();
            ensure!(text.contains("unavailable"), "{answer}");
            Ok(())
        })?;
        c.apply("faults", sample!("istio/ratings-delay"))?;
        book.soon("ratings to keep jason waiting", 1, || {
            let begun = Instant::now();
            book.version("jason")?;
            ensure!(begun.elapsed() >= Duration::from_secs(7), "not for long");
            Ok(())
        })?;
        c.delete("faults")?;
        c.apply("routes", sample!("istio/reviews-timeout"))?;
        book.soon("reviews to be late", 1, || {
            let (status, answer) = book.ask("x")?;
            ensure!(status == 504, "{status}: {answer}");
            Ok(())
        })?;
    }

    fn a_canary_grows_without_a_failed_request(c = Cluster::builder("canary").controlled()) {
        let book = Bookinfo::start(c)?;
        c.apply("subsets", sample!("istio/subsets"))?;
        c.apply("routes", sample!("istio/all-v1"))?;
        book.soon_version("x", "v1")?;
        let stop = AtomicBool::new(false);
        let (all, failed) = std::thread::scope(|scope| {
            let reader = scope.spawn(|| load(&book.reader, &stop));
            let grown = [10, 50, 90, 100].into_iter().try_for_each(|percent| {
                c.apply("routes", &canary(percent))?;
                book.soon("version 2 to be seen", 1, || {
                    ensure!((0..20).any(|_| book.version("x").is_ok_and(|seen| seen == "v2")), "it is not");
                    Ok(())
                })
            });
            let grown = grown.and_then(|()| book.soon_version("x", "v2"));
            stop.store(true, Ordering::Relaxed);
            let load = reader.join().expect("the load");
            grown.map(|()| load)
        })?;
        ensure!(all > 0 && failed.is_empty(), "{} of {all} failed: {failed:?}", failed.len());
    }

    fn a_policy_of_requests_is_enforced_by_the_waypoint(c = Cluster::builder("l7-policy").controlled()) {
        let book = Bookinfo::start(c)?;
        let status = |path: &str| {
            let url = format!("http://{REVIEWS}{path}");
            Ok::<_, anyhow::Error>(book.reader.curl_with(&["--path-as-is"], &url)?.status)
        };
        book.soon("both to be answered", 1, || {
            ensure!((status("/reviews/0")?, status("/reviews/1")?) == (200, 200), "they are not");
            Ok(())
        })?;
        c.apply("policy", POLICY)?;
        book.soon("the policy", 1, || {
            ensure!((status("/reviews/0")?, status("/reviews/1")?) == (200, 403), "it does not hold");
            Ok(())
        })?;
        // Other spellings are the same path.
        assert_eq!((status("/reviews/%31")?, status("/reviews/0/../1")?), (403, 403));
        c.delete("policy")?;
        book.soon("the policy to be gone", 1, || {
            ensure!(status("/reviews/1")? == 200, "it is not");
            Ok(())
        })?;
    }

    fn a_waypoint_that_is_gone_is_not_gone_around(c = Cluster::builder("around").controlled()) {
        let book = Bookinfo::start(c)?;
        c.apply("subsets", sample!("istio/subsets"))?;
        c.apply("routes", sample!("istio/all-v1"))?;
        book.soon_version("x", "v1")?;
        // Without a controller it goes on as it was.
        c.controller().kill()?;
        for _ in 0..5 {
            ensure!(book.version("x")? == "v1", "another version without the controller");
        }
        book.waypoint.kill()?;
        let url = format!("http://{REVIEWS}/reviews/0");
        for _ in 0..5 {
            ensure!(book.reader.curl(&url).is_err(), "an answer without the waypoint");
        }
        c.controller().start()?;
        book.waypoint.start()?;
        book.soon_version("x", "v1")?;
    }
}

fn canary(percent: u32) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\n\
         metadata: {{name: reviews, namespace: bookinfo}}\nspec:\n  hosts: [reviews]\n  http:\n  - route:\n    \
         - {{destination: {{host: reviews, subset: v1}}, weight: {}}}\n    \
         - {{destination: {{host: reviews, subset: v2}}, weight: {percent}}}\n",
        100 - percent
    )
}

const POLICY: &str = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
                      metadata: {name: not-one, namespace: bookinfo}\nspec:\n  \
                      targetRefs: [{group: \"\", kind: Service, name: reviews}]\n  action: DENY\n  \
                      rules: [{to: [{operation: {paths: [/reviews/1]}}]}]\n";
