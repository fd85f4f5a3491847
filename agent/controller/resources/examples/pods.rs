//! What pods cost: `cargo run --release -p weir-resources --example pods -- 100000`.
//!
//! Pods of a size as a cluster has them, twenty to a workload, read one after the other and kept.

use std::time::Instant;

use serde_json::{Value, json};
use weir_resources::{Object, Pod, parse};

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let before = resident();
    let start = Instant::now();
    let pods: Vec<Pod> = (0..count).filter_map(read).collect();
    let time = start.elapsed();
    let bytes = resident().saturating_sub(before);
    assert_eq!(pods.len(), count, "a pod was refused");
    let each = time / u32::try_from(count).unwrap_or(u32::MAX);
    println!("{count} pods: {} bytes and {each:?} each (the JSON's making included)", bytes / count);
}

fn read(n: usize) -> Option<Pod> {
    match parse(pod(n)) {
        Ok(Object::Pod(pod)) => Some(pod),
        _ => None,
    }
}

fn pod(n: usize) -> Value {
    let workload = n / 20;
    let namespace = format!("team-{}", workload % 100);
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("service-{workload}-7d9c5b6f4d-{n:05x}"), "namespace": namespace,
            "uid": format!("{n:08x}-0000-4000-8000-000000000000"), "resourceVersion": n.to_string(),
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "labels": {
                "app": format!("service-{workload}"), "app.kubernetes.io/name": format!("service-{workload}"),
                "version": "v1", "pod-template-hash": "7d9c5b6f4d", "team": namespace,
            },
            "annotations": {"ambient.istio.io/redirection": "enabled", "prometheus.io/scrape": "true"},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("service-{workload}-7d9c5b6f4d"),
                "uid": "u", "controller": true,
            }],
        },
        "spec": {
            "nodeName": format!("node-{}", n % 1000), "serviceAccountName": format!("service-{workload}"),
            "containers": [{
                "name": "app", "image": "registry.example.com/app:1", "env": [{"name": "A", "value": "b"}],
                "ports": [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}],
            }],
        },
        "status": {
            "phase": "Running", "podIP": address(n), "podIPs": [{"ip": address(n)}],
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}],
        },
    })
}

fn address(n: usize) -> String {
    format!("10.{}.{}.{}", n >> 16 & 0xff, n >> 8 & 0xff, n & 0xff)
}

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kibibytes.unwrap_or_default() * 1024
}
