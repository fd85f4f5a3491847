//! What the index costs: memory, time to build, time of one change, for meshes of several sizes.
//!
//! ```text
//! cargo run --release -p weir-index --example scale -- 1000 10000 100000
//! ```
//!
//! Each size runs in a process of its own, so that its memory is its own. Objects come as JSON, as from the API, one by
//! one; a reader keeps a snapshot, as the serving side does.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_index::{Config, Index};
use weir_resources::{Event, parse};

const PODS_OF_A_NODE: usize = 100;
const PODS_OF_A_SERVICE: usize = 20;
const SERVICES_OF_A_NAMESPACE: usize = 50;
const CHANGES: usize = 2000;

fn main() {
    let sizes: Vec<String> = std::env::args().skip(1).collect();
    match sizes.as_slice() {
        [one, size] if one == "--one" => run(size.parse().expect("a number of pods")),
        sizes => {
            println!(
                "pods     RSS MiB  B/pod  parse s  build s  pod change us p50/p99  service change us p50/p99"
            );
            let default = ["1000", "10000", "100000"].map(String::from);
            for size in if sizes.is_empty() { default.as_slice() } else { sizes } {
                let program = std::env::current_exe().expect("this program");
                let status = Command::new(program).args(["--one", size]).status().expect("a process");
                assert!(status.success(), "{size} pods: {status}");
            }
        }
    }
}

fn run(pods: usize) {
    let start_rss = rss();
    let mut index = Index::new(Config::default());
    let (mut parsing, mut building) = (Duration::ZERO, Duration::ZERO);
    for value in objects(pods) {
        let start = Instant::now();
        let object = Box::new(parse(value).expect("a good object"));
        let read = Instant::now();
        index.apply(Event::Apply(object));
        parsing += read - start;
        building += read.elapsed();
    }
    let start = Instant::now();
    let changes = index.commit();
    building += start.elapsed();
    assert_eq!(changes.addresses.len(), pods + pods / PODS_OF_A_SERVICE);
    drop(changes);
    let used = rss().saturating_sub(start_rss);

    let mut reader = index.snapshot();
    let pod_changes = measure(|n| {
        // Far from each other, so that no cache helps; ready and not ready in turn.
        let value = pod((n / 2 * 7919) % pods, n % 2 == 1);
        let event = Event::Apply(Box::new(parse(value).expect("a good pod")));
        let start = Instant::now();
        index.apply(event);
        assert_eq!(index.commit().addresses.len(), 1);
        reader = index.snapshot();
        start.elapsed()
    });
    let service_changes = measure(|n| {
        let value =
            service((n / 2 * 7919) % (pods / PODS_OF_A_SERVICE), if n % 2 == 0 { 9000 } else { 8080 });
        let event = Event::Apply(Box::new(parse(value).expect("a good service")));
        let start = Instant::now();
        index.apply(event);
        assert_eq!(index.commit().addresses.len(), 1 + PODS_OF_A_SERVICE);
        reader = index.snapshot();
        start.elapsed()
    });
    println!(
        "{pods:<8} {:<8.1} {:<6} {:<8.2} {:<8.2} {pod_changes:<22} {service_changes}",
        used as f64 / 1048576.0,
        used / pods as u64,
        parsing.as_secs_f64(),
        building.as_secs_f64(),
    );
}

/// Median and 99th percentile, in microseconds.
fn measure(mut change: impl FnMut(usize) -> Duration) -> String {
    let mut times: Vec<_> = (0..CHANGES).map(&mut change).collect();
    times.sort();
    let at = |share: usize| times[times.len() * share / 100].as_nanos() as f64 / 1000.0;
    format!("{:.1}/{:.1}", at(50), at(99))
}

fn objects(pods: usize) -> impl Iterator<Item = Value> {
    let nodes = (0..pods.div_ceil(PODS_OF_A_NODE)).map(|node| {
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": format!("node-{node}"), "labels": {
            "topology.kubernetes.io/region": "europe-west", "topology.kubernetes.io/zone": format!("europe-west-{}", node % 3),
        }}})
    });
    let services = (0..pods / PODS_OF_A_SERVICE).map(|n| service(n, 8080));
    nodes.chain(services).chain((0..pods).map(|n| pod(n, true)))
}

fn service(n: usize, target: u16) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": format!("app-{n}"), "namespace": namespace(n), "labels": {"app": format!("app-{n}")}},
        "spec": {
            "clusterIP": format!("10.{}.{}.{}", 96 + n / 65536, n / 256 % 256, n % 256),
            "selector": {"app": format!("app-{n}")},
            "ports": [{"name": "http", "port": 80, "targetPort": target}, {"name": "grpc", "port": 81, "targetPort": 8081}],
        },
    })
}

fn pod(n: usize, ready: bool) -> Value {
    let app = n / PODS_OF_A_SERVICE;
    let hash = format!("{:08x}", app.wrapping_mul(2654435761) % 0xffff_ffff);
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("app-{app}-{hash}-{:05x}", n),
            "namespace": namespace(app),
            "uid": format!("{:08x}-0000-4000-8000-{:012x}", n, n),
            "labels": {
                "app": format!("app-{app}"), "version": "v1", "pod-template-hash": hash,
                "app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/part-of": namespace(app),
            },
            "annotations": {"ambient.istio.io/redirection": "enabled"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": format!("app-{app}-{hash}"), "controller": true}],
        },
        "spec": {
            "nodeName": format!("node-{}", n / PODS_OF_A_NODE),
            "serviceAccountName": format!("app-{app}"),
            "containers": [{"name": "app", "ports": [{"name": "http", "containerPort": 8080}]}],
        },
        "status": {
            "phase": "Running",
            "podIP": format!("10.{}.{}.{}", n / 65536, n / 256 % 256, n % 256),
            "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
        },
    })
}

fn namespace(app: usize) -> String {
    format!("team-{}", app / SERVICES_OF_A_NAMESPACE)
}

/// Resident bytes of this process.
fn rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}
