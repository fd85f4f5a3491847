//! Counts of rules, with rules that come and go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_model::{
    Audience, ConnectionPolicy, Directory, OutlierPolicy, Service, ServiceKey, Terms, Workload,
};

use super::Limits;

const SECOND: Duration = Duration::from_secs(1);

fn policy(origin: &str, max_connections: u32) -> ConnectionPolicy {
    let outlier = OutlierPolicy {
        consecutive_failures: 2,
        interval: SECOND,
        base_ejection_time: 5 * SECOND,
        max_ejection_percent: 100,
        min_health_percent: 0,
    };
    ConnectionPolicy {
        origin: origin.into(),
        max_connections: Some(max_connections),
        outlier: Some(outlier),
        ..ConnectionPolicy::default()
    }
}

/// A service with one endpoint, `pod`, and the terms of its port 80.
fn world(policy: ConnectionPolicy) -> (Directory, Terms, Arc<str>) {
    let (key, policy) = (ServiceKey::new("shop", "db"), Arc::new(policy));
    let audiences = vec![Audience { namespaces: Vec::new(), ports: vec![(80, policy.clone())] }];
    let service = Service { audiences, ..Service::new(key.clone()) };
    let pod = Workload { services: Arc::new([(key, Vec::new())].into()), ..Workload::pod("shop", "pod") };
    let (mut directory, uid) = (Directory::new(), pod.uid.clone());
    directory.upsert_service(service.clone());
    directory.upsert_workload(pod);
    (directory, Terms { service: Arc::new(service), port: 80, policy }, uid)
}

#[test]
fn no_more_than_the_limit_at_a_time() {
    let (limits, (_, terms, _)) = (Limits::default(), world(policy("a", 2)));
    let one = limits.admit(&terms).unwrap();
    let two = limits.admit(&terms).unwrap();
    assert!(one.is_some() && two.is_some());
    let error = limits.admit(&terms).err().unwrap();
    assert_eq!(
        (error.flags(), error.to_string()),
        ("UO", "service shop/db port 80 has as many connections from this node as a says (2)".to_owned())
    );
    drop(one);
    let three = limits.admit(&terms).unwrap();
    assert!(limits.admit(&terms).is_err());
    // More may be there from now on, and what is open counts.
    let more = Terms { policy: Arc::new(policy("a", 3)), ..terms.clone() };
    assert!(limits.admit(&more).is_ok());
    // Another rule, and another port, have counts of their own.
    let other = Terms { policy: Arc::new(policy("b", 1)), ..terms.clone() };
    assert!(limits.admit(&other).is_ok());
    assert!(limits.admit(&Terms { port: 81, ..terms }).is_ok());
    drop((two, three));
}

#[test]
fn without_a_limit_nothing_is_counted() {
    let limits = Limits::default();
    let (_, terms, _) = world(ConnectionPolicy { max_connections: None, ..policy("a", 0) });
    assert!(limits.admit(&terms).unwrap().is_none());
    assert!(limits.0.load().is_empty());
}

#[test]
fn the_limit_is_the_nodes_whichever_worker_counts() {
    let (limits, (_, terms, _)) = (Limits::default(), world(policy("a", 5)));
    let admitted = std::thread::scope(|scope| {
        let worker = || (0..100).filter_map(|_| limits.admit(&terms).ok()).collect::<Vec<_>>();
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(admitted.len(), 5);
    drop(admitted);
    assert!(limits.admit(&terms).is_ok());
}

#[test]
fn who_fails_is_left_out_for_its_rule() {
    let (limits, (directory, terms, uid)) = (Limits::default(), world(policy("a", 1)));
    let (now, outlier) = (Instant::now(), terms.policy.outlier.unwrap());
    let left_out = |terms: &Terms, now| limits.left_out(terms, &outlier, now).contains(&uid);
    assert_eq!(limits.failed(&terms, &uid, &directory, now), None);
    limits.succeeded(&terms, &uid);
    assert_eq!(limits.failed(&terms, &uid, &directory, now), None);
    assert_eq!(limits.failed(&terms, &uid, &directory, now), Some(5 * SECOND));
    assert!(left_out(&terms, now));
    assert!(!left_out(&Terms { policy: Arc::new(policy("b", 1)), ..terms.clone() }, now));
    assert!(!left_out(&terms, now + 6 * SECOND));
}

#[test]
fn what_no_rule_counts_any_more_is_forgotten() {
    let (limits, (mut directory, terms, uid)) = (Limits::default(), world(policy("a", 1)));
    let held = limits.admit(&terms).unwrap();
    limits.sweep(&directory);
    assert_eq!(limits.0.load().len(), 1);
    directory.remove_service(&terms.service.key);
    limits.sweep(&directory);
    assert_eq!(limits.0.load().len(), 1, "a connection is counted there");
    drop(held);
    limits.sweep(&directory);
    assert!(limits.0.load().is_empty());
    assert_eq!(limits.failed(&terms, &uid, &Directory::new(), Instant::now()), None);
}
