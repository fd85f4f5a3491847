//! Requests, and a waypoint that looks at them: Bookinfo, with the samples that are in `deploy/samples`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use weir_harness::until_ok;

use crate::cluster::Cluster;
use crate::namespace::Namespace;
use crate::pod::Pod;
use crate::shop::Shop;
use crate::watch::LONG;

const SAMPLES: &str = "deploy/samples/bookinfo";

/// Kubernetes' own words.
pub(super) fn by_http_route(shop: &Shop) -> Result<()> {
    let bookinfo = Bookinfo::open(shop)?;
    bookinfo.cluster.apply_file(&format!("{SAMPLES}/gateway-api/versions.yaml"))?;
    let route = |name: &str| format!("{SAMPLES}/gateway-api/reviews-{name}.yaml");
    bookinfo.classic([&route("v1"), &route("jason-v2"), &route("50-50")])?;
    bookinfo.home.end()
}

/// Istio's words.
pub(super) fn by_virtual_service(shop: &Shop) -> Result<()> {
    let bookinfo = Bookinfo::open(shop)?;
    let file = |name: &str| format!("{SAMPLES}/istio/{name}.yaml");
    bookinfo.cluster.apply_file(&file("subsets"))?;
    bookinfo.classic([&file("all-v1"), &file("reviews-jason-v2"), &file("reviews-50-50")])?;
    bookinfo.home.end()
}

struct Bookinfo {
    cluster: Cluster,
    home: Namespace,
    reader: Pod,
}

impl Bookinfo {
    /// All of it, behind the namespace's waypoint.
    fn open(shop: &Shop) -> Result<Self> {
        let cluster = shop.home.cluster.clone();
        let home = cluster.namespace("bookinfo")?;
        home.enrol()?;
        for (app, version) in [
            ("details", "v1"),
            ("ratings", "v1"),
            ("reviews", "v1"),
            ("reviews", "v2"),
            ("reviews", "v3"),
            ("productpage", "v1"),
        ] {
            let mut command = vec!["weir-bookinfo", app];
            if app == "reviews" {
                command.extend(["--version", version]);
            }
            let pod =
                home.pod(&format!("{app}-{version}")).account(&format!("bookinfo-{app}")).runs(&command);
            pod.label("app", app).label("version", version).start()?.until_captured()?;
            home.service(app, 9080)?;
        }
        let reader = home.pod("reader").start()?;
        reader.until_captured()?;
        cluster.weir(&["waypoint", "apply", "-n", &home.name, "--enroll-namespace", "--wait"])?;
        Ok(Self { cluster, home, reader })
    }

    /// All to version 1; jason to version 2; half and half between 2 and 3.
    fn classic(&self, [v1, jason, half]: [&str; 3]) -> Result<()> {
        self.cluster.apply_file(v1)?;
        self.until_all("v1", None)?;
        self.cluster.apply_file(jason)?;
        self.until_all("v2", Some("jason"))?;
        self.until_all("v1", None)?;
        self.cluster.apply_file(half)?;
        until_ok("no version 1 any more", LONG, || {
            let versions = self.read(10, None)?;
            ensure!(!versions.contains_key("v1"), "{versions:?}");
            Ok(())
        })?;
        let versions = self.read(100, None)?;
        // Five standard deviations from fifty: once in two million runs by chance.
        for version in ["v2", "v3"] {
            let count = versions.get(version).copied().unwrap_or_default();
            ensure!((25..=75).contains(&count), "{versions:?}");
        }
        Ok(())
    }

    fn until_all(&self, version: &str, user: Option<&str>) -> Result<()> {
        until_ok(&format!("only {version} for {user:?}"), LONG, || {
            let versions = self.read(20, user)?;
            ensure!(versions.len() == 1 && versions.contains_key(version), "{versions:?}");
            Ok(())
        })
    }

    /// Which versions of reviews the product's page shows.
    fn read(&self, times: u32, user: Option<&str>) -> Result<BTreeMap<String, u32>> {
        let times = times.to_string();
        let header = user.map(|user| format!("end-user: {user}"));
        let mut options = vec!["--times", times.as_str()];
        options.extend(header.as_deref().into_iter().flat_map(|header| ["--header", header]));
        let answers = self.reader.ask("http://productpage:9080/api/v1/products/0/reviews", &options)?;
        ensure!(answers.are_good(), "{answers:?}");
        let mut versions = BTreeMap::new();
        for answer in answers.answers {
            let reviews: serde_json::Value = serde_json::from_str(&answer.body)?;
            let version = reviews["version"].as_str().context("reviews of no version")?;
            *versions.entry(version.to_owned()).or_default() += 1;
        }
        Ok(versions)
    }
}
