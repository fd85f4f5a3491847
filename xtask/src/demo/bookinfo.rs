//! Checks (i) to (p): Bookinfo behind a waypoint that the demo starts, and its classic flows, in both APIs where both can say it.
//!
//! What is applied are the files of `deploy/samples/bookinfo`, as they are.

mod breaker;
mod canary;
mod faults;
mod shares;

use std::time::Duration;

use anyhow::{Result, ensure};
use weir_harness::{Bookinfo, Cluster, until_ok};

use super::report::{Finding, Report};

/// Starts Bookinfo and runs the checks; each is tried, whatever became of the others.
pub(super) fn run(cluster: &Cluster, report: &mut Report) {
    eprintln!("demo: Bookinfo starts in six pods, and a waypoint before it");
    let mut shop = match Shop::open(cluster) {
        Ok(shop) => shop,
        Err(error) => return report.add("i  Bookinfo behind a waypoint", Err(error)),
    };
    report.add("i  waypoint: all to v1", shares::all_to_v1(&shop));
    report.add("j  waypoint: 90/10 and 50/50", shares::weights(&shop));
    report.add("k  waypoint: jason to v2", shares::jason(&shop));
    report.add("l  waypoint: delay, abort for jason", faults::delay_and_abort(&shop));
    report.add("m  waypoint: timeout", faults::timeout(&shop));
    report.add("o  waypoint: mirror", shares::mirror(&shop));
    report.add("p  waypoint: canary, nothing fails", canary::check(&shop));
    // Last: what it does to ratings stays.
    report.add("n  waypoint: circuit breaker", breaker::check(&mut shop));
}

/// Bookinfo, and what tells its waypoint.
struct Shop<'c> {
    cluster: &'c Cluster,
    book: Bookinfo,
}

/// Who says it.
#[derive(Clone, Copy)]
enum Api {
    Istio,
    Gateway,
}

impl Api {
    const BOTH: [Api; 2] = [Api::Istio, Api::Gateway];

    fn title(self) -> &'static str {
        match self {
            Api::Istio => "VirtualService",
            Api::Gateway => "HTTPRoute",
        }
    }
}

/// A sample in both APIs.
macro_rules! samples {
    ($name:literal) => {
        samples!($name, $name)
    };
    ($istio:literal, $gateway:literal) => {
        [
            include_str!(concat!("../../../../deploy/samples/bookinfo/istio/", $istio, ".yaml")),
            include_str!(concat!("../../../../deploy/samples/bookinfo/gateway-api/", $gateway, ".yaml")),
        ]
    };
}
/// A sample in Istio's API.
macro_rules! istio {
    ($name:literal) => {
        include_str!(concat!("../../../../deploy/samples/bookinfo/istio/", $name, ".yaml"))
    };
}
use {istio, samples};

impl<'c> Shop<'c> {
    fn open(cluster: &'c Cluster) -> Result<Self> {
        let book = Bookinfo::start(cluster)?;
        book.soon("x", &["v1", "v2", "v3"])?;
        cluster.apply("subsets", include_str!("../../../deploy/samples/bookinfo/istio/subsets.yaml"))?;
        cluster
            .apply("versions", include_str!("../../../deploy/samples/bookinfo/gateway-api/versions.yaml"))?;
        Ok(Self { cluster, book })
    }

    /// Does it with the sample of each API in force in turn; what it finds, a line for each.
    fn each(&self, samples: [&str; 2], mut check: impl FnMut() -> Finding) -> Finding {
        let mut lines = Vec::new();
        for (api, sample) in Api::BOTH.into_iter().zip(samples) {
            self.cluster.apply("routes", sample)?;
            let found = check().map_err(|error| error.context(api.title()))?;
            lines.push(format!("{}: {found}", api.title()));
        }
        Ok(lines.join("\n"))
    }

    /// One answer of a page.
    fn one(&self, page: &str, user: &str) -> Result<(u16, String)> {
        let answer = self.book.ask(page, user, 1)?.remove(0);
        Ok((answer.status, answer.body.to_string()))
    }

    /// Waits until the page answers this user with this status, and some words.
    fn soon(&self, page: &str, user: &str, status: u16, words: &str) -> Result<()> {
        until_ok(&format!("{page} to answer {user} with {status}"), SOON, || {
            let (seen, text) = self.one(page, user)?;
            ensure!(seen == status && text.contains(words), "{seen}: {text}");
            Ok(())
        })
    }
}

/// A page of reviews.
fn reviews() -> String {
    format!("{}/reviews/0", Bookinfo::REVIEWS)
}

/// A page of ratings.
fn ratings() -> String {
    format!("{}/ratings/0", Bookinfo::RATINGS)
}

/// The page that people see.
fn productpage() -> String {
    format!("{}/productpage", Bookinfo::PRODUCTPAGE)
}

/// How long a change may take from a file to the waypoint.
const SOON: Duration = Duration::from_secs(20);
