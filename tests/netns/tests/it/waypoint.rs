//! Requests that go by way of a waypoint: real agents on both sides, the real waypoint and controller, and Bookinfo.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;
use weir_harness::{Bookinfo, Cluster, until_ok};

use crate::support::stories;

/// How long a change may take from a file to the waypoint.
const SOON: Duration = Duration::from_secs(20);

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../../../deploy/samples/bookinfo/", $name, ".yaml"))
    };
}

/// One answer of reviews: its status and body.
fn ask(book: &Bookinfo, user: &str) -> Result<(u16, Value)> {
    let page = format!("{}/reviews/0", Bookinfo::REVIEWS);
    let mut answers = book.ask(&page, user, 1)?;
    let answer = answers.remove(0);
    Ok((answer.status, answer.body))
}

/// Version 3 asks ratings, but nobody sees its answers.
fn mirrors_to_v3(book: &Bookinfo) -> Result<()> {
    let asked = || {
        let of_v3 = [("source_principal", "spiffe://cluster.local/ns/bookinfo/sa/reviews-v3")];
        Ok::<_, anyhow::Error>(book.waypoint.metrics()?.sum("istio_requests_total", &of_v3))
    };
    book.soon("x", &["v1"])?;
    let before = asked()?;
    until_ok("a mirrored request", SOON, || {
        ensure!(book.versions("x", 1)? == ["v1"], "the mirror's answer");
        ensure!(asked()? > before, "version 3 has asked nothing");
        Ok(())
    })
}

/// Waits until reviews is late for this user.
fn late(book: &Bookinfo, user: &str) -> Result<()> {
    until_ok("reviews to be late", SOON, || {
        let (status, answer) = ask(book, user)?;
        ensure!(status == 504, "{status}: {answer}");
        Ok(())
    })
}

/// Waits until version 2 is seen, among others.
fn some_v2(book: &Bookinfo) -> Result<()> {
    until_ok("version 2 to be seen", SOON, || {
        ensure!(book.versions("x", 20)?.iter().any(|version| version == "v2"), "it is not");
        Ok(())
    })
}

stories! {
    fn a_waypoint_sends_requests_where_routes_say(c = Cluster::builder("waypoint").controlled()) {
        let book = Bookinfo::start(c)?;
        let counter = c.node("a").count_link()?;
        book.soon("x", &["v1", "v2", "v3"])?;
        c.apply("subsets", sample!("istio/subsets"))?;
        c.apply("routes", sample!("istio/all-v1"))?;
        book.soon("x", &["v1"])?;
        c.apply("routes", sample!("istio/reviews-90-10"))?;
        some_v2(&book)?;
        let seen = book.versions("x", 200)?;
        let [v1, v2] = ["v1", "v2"].map(|version| seen.iter().filter(|seen| *seen == version).count());
        // 20 expected; the chance to be outside of this is less than one in a million.
        ensure!(v1 + v2 == 200 && (3..=44).contains(&v2), "v1 {v1} times, v2 {v2} times");
        c.apply("routes", sample!("istio/reviews-50-50"))?;
        book.soon("x", &["v2", "v3"])?;
        c.apply("routes", sample!("istio/reviews-jason-v2"))?;
        book.soon("jason", &["v2"])?;
        book.soon("x", &["v1"])?;
        c.apply("routes", sample!("istio/reviews-mirror"))?;
        mirrors_to_v3(&book)?;
        assert_eq!(counter.read()?.1, 0, "TCP packets outside the tunnel");
    }

    fn a_waypoint_takes_the_gateway_apis_routes(c = Cluster::builder("routes").controlled()) {
        let book = Bookinfo::start(c)?;
        c.apply("versions", sample!("gateway-api/versions"))?;
        c.apply("routes", sample!("gateway-api/reviews-v1"))?;
        book.soon("x", &["v1"])?;
        c.apply("routes", sample!("gateway-api/reviews-jason-v2"))?;
        book.soon("jason", &["v2"])?;
        book.soon("x", &["v1"])?;
        for (routes, versions) in [
            (sample!("gateway-api/reviews-90-10"), ["v1", "v2"]),
            (sample!("gateway-api/reviews-50-50"), ["v2", "v3"]),
        ] {
            c.apply("routes", routes)?;
            book.soon("x", &versions)?;
        }
        c.apply("routes", sample!("gateway-api/reviews-mirror"))?;
        mirrors_to_v3(&book)?;
        // Routes of both kinds, each of another service.
        c.apply("subsets", sample!("istio/subsets"))?;
        c.apply("faults", sample!("istio/ratings-delay"))?;
        c.apply("routes", sample!("gateway-api/reviews-timeout"))?;
        late(&book, "jason")?;
        book.soon("x", &["v2"])?;
    }

    fn a_waypoint_makes_failures_on_purpose(c = Cluster::builder("faults").controlled()) {
        let book = Bookinfo::start(c)?;
        c.apply("subsets", sample!("istio/subsets"))?;
        c.apply("routes", sample!("istio/reviews-jason-v2"))?;
        book.soon("jason", &["v2"])?;
        c.apply("faults", sample!("istio/ratings-abort"))?;
        until_ok("ratings to fail for jason", SOON, || {
            let (_, answer) = ask(&book, "jason")?;
            let text = answer["reviews"][0]["rating"]["error"].to_string();
            ensure!(text.contains("unavailable"), "{answer}");
            Ok(())
        })?;
        c.apply("faults", sample!("istio/ratings-delay"))?;
        until_ok("ratings to keep jason waiting", SOON, || {
            let begun = Instant::now();
            book.versions("jason", 1)?;
            ensure!(begun.elapsed() >= Duration::from_secs(7), "not for long");
            Ok(())
        })?;
        c.delete("faults")?;
        c.apply("routes", sample!("istio/reviews-timeout"))?;
        late(&book, "x")?;
    }

    fn a_canary_grows_without_a_failed_request(c = Cluster::builder("canary").controlled()) {
        let book = Bookinfo::start(c)?;
        c.apply("subsets", sample!("istio/subsets"))?;
        c.apply("routes", sample!("istio/all-v1"))?;
        book.soon("x", &["v1"])?;
        let reading = book.read(4, &[])?;
        for percent in [10, 50, 90, 100] {
            c.apply("routes", &canary(percent))?;
            some_v2(&book)?;
        }
        book.soon("x", &["v2"])?;
        let seen = reading.stop()?;
        let answered = ["200 v1", "200 v2"].map(|what| seen["answers"][what].as_u64().unwrap_or(0));
        ensure!(answered.iter().all(|count| *count > 0), "{seen}");
        ensure!(seen["asked"] == answered.iter().sum::<u64>(), "requests have failed: {seen}");
    }

    fn a_policy_of_requests_is_enforced_by_the_waypoint(c = Cluster::builder("l7-policy").controlled()) {
        let book = Bookinfo::start(c)?;
        let status = |path: &str| {
            let url = format!("http://{}{path}", Bookinfo::REVIEWS);
            Ok::<_, anyhow::Error>(book.reader.curl_with(&["--path-as-is"], &url)?.status)
        };
        let both = |what: &str, wanted: (u16, u16)| until_ok(what, SOON, || {
            let seen = (status("/reviews/0")?, status("/reviews/1")?);
            ensure!(seen == wanted, "it is {seen:?}");
            Ok(())
        });
        both("answers", (200, 200))?;
        c.apply("policy", POLICY)?;
        both("the policy", (200, 403))?;
        // Other spellings are the same path.
        assert_eq!((status("/reviews/%31")?, status("/reviews/0/../1")?), (403, 403));
        c.delete("policy")?;
        both("the policy to be gone", (200, 200))?;
    }

    fn a_waypoint_that_is_gone_is_not_gone_around(c = Cluster::builder("around").controlled()) {
        let book = Bookinfo::start(c)?;
        c.apply("subsets", sample!("istio/subsets"))?;
        c.apply("routes", sample!("istio/all-v1"))?;
        book.soon("x", &["v1"])?;
        // Without a controller it goes on as it was.
        c.controller().kill()?;
        ensure!(book.versions("x", 5)? == ["v1"; 5], "another version without the controller");
        book.waypoint.kill()?;
        let url = format!("http://{}/reviews/0", Bookinfo::REVIEWS);
        for _ in 0..5 {
            ensure!(book.reader.curl(&url).is_err(), "an answer without the waypoint");
        }
        c.controller().start()?;
        book.waypoint.start()?;
        book.soon("x", &["v1"])?;
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
