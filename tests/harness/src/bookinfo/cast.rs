//! The pods and services of Bookinfo.

use anyhow::Result;

use super::Bookinfo;
use crate::{Cluster, Pod, Process, tool};

/// One of the pods, with its service in it.
pub(super) fn pod(cluster: &Cluster, node: &str, app: &str, version: &str) -> Result<(Pod, Process)> {
    named(cluster, node, &format!("{app}-{version}"), app, version)
}

/// One pod more of each version of reviews.
pub(super) fn spare_reviews(cluster: &Cluster) -> Result<Vec<Pod>> {
    let versions = ["v1", "v2", "v3"].into_iter().zip(["a", "b", "a"]);
    let spare = versions.map(|(version, node)| {
        let (pod, _) = named(cluster, node, &format!("spare-{version}"), "reviews", version)?;
        Ok(pod)
    });
    spare.collect()
}

fn named(cluster: &Cluster, node: &str, name: &str, app: &str, version: &str) -> Result<(Pod, Process)> {
    let pod = cluster.node(node).pod(name).namespace(Bookinfo::NAMESPACE).enrolled();
    let pod = pod.label("app", app).label("version", version).start()?;
    let process = serve(&pod, app, version, &[])?;
    Ok((pod, process))
}

/// Starts the service in its pod, with more arguments.
pub(super) fn serve(pod: &Pod, app: &str, version: &str, more: &[&str]) -> Result<Process> {
    let url = |address: &str| format!("http://{address}");
    let (details, reviews, ratings) =
        (url(Bookinfo::DETAILS), url(Bookinfo::REVIEWS), url(Bookinfo::RATINGS));
    let args: &[&str] = match app {
        "productpage" => &["--details", &details, "--reviews", &reviews, "--ratings", &ratings],
        "reviews" => &["--version", version, "--ratings", &ratings, "--pod", pod.name()],
        _ => &[],
    };
    let process = pod.spawn(&program()?, &[&["--listen", "[::]:9080", app], args, more].concat())?;
    pod.wait_listening(9080)?;
    Ok(process)
}

/// The services, and a namespace that asks for the waypoint.
pub(super) fn objects() -> String {
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

pub(super) fn program() -> Result<String> {
    Ok(tool::binary("weir-bookinfo")?.to_string_lossy().into_owned())
}

/// Node, service and version of each pod.
pub(super) const PODS: [(&str, &str, &str); 6] = [
    ("a", "productpage", "v1"),
    ("b", "details", "v1"),
    ("b", "reviews", "v1"),
    ("b", "reviews", "v2"),
    ("b", "reviews", "v3"),
    ("b", "ratings", "v1"),
];
