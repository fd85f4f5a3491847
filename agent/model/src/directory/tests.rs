//! A directory that was changed step by step is the one that is built at once from what is left.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;

use super::Directory;
use crate::{Health, NetworkMode, Service, ServiceKey, Visibility, Workload};

#[derive(Debug, Clone)]
enum Step {
    Put(Box<Workload>),
    Take(Arc<str>),
    PutService(Box<Service>),
    TakeService(ServiceKey),
}

/// Few names and few addresses, so that they meet.
fn key() -> impl Strategy<Value = ServiceKey> {
    (0..2, 0..3).prop_map(|(ns, host)| ServiceKey::new(&format!("ns{ns}"), &format!("host{host}")))
}

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0..6u8).prop_map(|n| IpAddr::from([10, 0, 0, n])),
        (0..4u16).prop_map(|n| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, n]))
    ]
}

fn network() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![Just("".into()), Just("west".into())]
}

fn workload() -> impl Strategy<Value = Workload> {
    let services = prop::collection::btree_map(key(), Just(Vec::new()), 0..3);
    let fields = (0..5, prop::collection::vec(ip(), 0..3), network(), 0..3, any::<[bool; 2]>(), services);
    fields.prop_map(|(name, addresses, network, node, [sick, host], services)| Workload {
        addresses,
        network,
        services: Arc::new(services),
        node: format!("node{node}").into(),
        status: if sick { Health::Unhealthy } else { Health::Healthy },
        network_mode: if host { NetworkMode::HostNetwork } else { NetworkMode::Standard },
        ..Workload::pod("ns0", &format!("pod{name}"))
    })
}

fn service() -> impl Strategy<Value = Service> {
    let vips = prop::collection::vec((network(), ip()), 0..3);
    let range = (network(), ip(), 0..=32u8)
        .prop_map(|(network, ip, bits)| (network, ipnet::IpNet::new(ip, bits).unwrap()));
    let fields = (key(), vips, prop::collection::vec(range, 0..3), any::<[bool; 2]>());
    fields.prop_map(|(key, vips, cidr_vips, [canonical, hidden])| Service {
        vips,
        cidr_vips,
        canonical,
        visibility: if hidden { Visibility::Namespace } else { Visibility::Public },
        ..Service::new(key)
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => workload().prop_map(|w| Step::Put(Box::new(w))),
        1 => workload().prop_map(|w| Step::Take(w.uid)),
        2 => service().prop_map(|s| Step::PutService(Box::new(s))),
        1 => key().prop_map(Step::TakeService),
    ]
}

/// Every answer that a directory can give about the world above.
fn answers(dir: &Directory) -> BTreeMap<String, String> {
    let mut answers = BTreeMap::new();
    let mut note = |question: String, answer: String| drop(answers.insert(question, answer));
    let ips = (0..6u8)
        .map(|n| IpAddr::from([10, 0, 0, n]))
        .chain((0..4u16).map(|n| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, n])));
    for ip in ips {
        for network in ["", "west"] {
            note(format!("ip {network} {ip}"), format!("{:?}", dir.workload_by_ip(network, ip)));
            for from in ["ns0", "ns1", "ns2"] {
                note(
                    format!("vip {network} {ip} {from}"),
                    format!("{:?}", dir.service_by_vip(network, ip, from)),
                );
            }
        }
    }
    for key in (0..2)
        .flat_map(|ns| (0..3).map(move |host| ServiceKey::new(&format!("ns{ns}"), &format!("host{host}"))))
    {
        note(format!("service {key}"), format!("{:?}", dir.service(&key)));
        note(
            format!("endpoints {key}"),
            format!("{} {:?}", dir.endpoint_count(&key), dir.endpoints(&key).collect::<Vec<_>>()),
        );
    }
    for node in 0..3 {
        note(
            format!("node {node}"),
            format!("{:?}", dir.workloads_on(&format!("node{node}")).collect::<Vec<_>>()),
        );
    }
    note("counts".into(), format!("{} {}", dir.workloads().len(), dir.services().len()));
    answers
}

/// How much the indexes hold: what is left behind in them answers no question, and is still memory.
fn sizes(dir: &Directory) -> [usize; 6] {
    [
        dir.by_ip.len(),
        dir.by_vip.len(),
        dir.by_range.len(),
        dir.endpoints.len(),
        dir.by_node.len(),
        dir.workloads.len(),
    ]
}

proptest! {
    #[test]
    fn step_by_step_is_all_at_once(steps in prop::collection::vec(step(), 0..40)) {
        let mut dir = Directory::new();
        let (mut workloads, mut services) = (BTreeMap::new(), BTreeMap::new());
        for step in steps {
            match step {
                Step::Put(w) => {
                    workloads.insert(w.uid.clone(), Workload::clone(&w));
                    dir.upsert_workload(*w);
                }
                Step::Take(uid) => prop_assert_eq!(dir.remove_workload(&uid), workloads.remove(&uid).is_some()),
                Step::PutService(s) => {
                    services.insert(s.key.clone(), Service::clone(&s));
                    dir.upsert_service(*s);
                }
                Step::TakeService(key) => prop_assert_eq!(dir.remove_service(&key), services.remove(&key).is_some()),
            }
        }
        let mut fresh = Directory::new();
        services.into_values().rev().for_each(|s| assert!(fresh.upsert_service(s)));
        workloads.into_values().rev().for_each(|w| assert!(fresh.upsert_workload(w)));
        prop_assert_eq!(answers(&dir), answers(&fresh));
        prop_assert_eq!(sizes(&dir), sizes(&fresh));
    }

    #[test]
    fn an_emptied_directory_is_empty(steps in prop::collection::vec(step(), 0..40)) {
        let mut dir = Directory::new();
        for step in steps {
            match step {
                Step::Put(w) => _ = dir.upsert_workload(*w),
                Step::PutService(s) => _ = dir.upsert_service(*s),
                Step::Take(_) | Step::TakeService(_) => {}
            }
        }
        for uid in dir.workloads().map(|w| w.uid.clone()).collect::<Vec<_>>() {
            dir.remove_workload(&uid);
        }
        for key in dir.services().map(|s| s.key.clone()).collect::<Vec<_>>() {
            dir.remove_service(&key);
        }
        prop_assert_eq!(sizes(&dir), [0; 6]);
    }
}

#[test]
fn a_snapshot_does_not_see_later_changes() {
    let mut dir = Directory::new();
    dir.upsert_workload(Workload::pod("n", "a"));
    let before = dir.clone();
    dir.upsert_workload(Workload::pod("n", "b"));
    dir.remove_workload("Kubernetes//Pod/n/a");
    assert_eq!(before.workloads().map(|w| &*w.name).collect::<Vec<_>>(), ["a"]);
    assert_eq!(dir.workloads().map(|w| &*w.name).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn the_same_again_changes_nothing() {
    let mut dir = Directory::new();
    assert!(dir.upsert_workload(Workload::pod("n", "a")));
    let before = dir.workload("Kubernetes//Pod/n/a").cloned().unwrap();
    assert!(!dir.upsert_workload(Workload::pod("n", "a")));
    assert!(Arc::ptr_eq(&before, dir.workload("Kubernetes//Pod/n/a").unwrap()));
}

#[test]
fn the_successor_of_a_pod_that_goes_away_has_the_address() {
    let at = |name: &str, status| Workload {
        addresses: vec![IpAddr::from([10, 0, 0, 1])],
        status,
        ..Workload::pod("n", name)
    };
    let mut dir = Directory::new();
    dir.upsert_workload(at("a-old", Health::Unhealthy));
    dir.upsert_workload(at("b-new", Health::Healthy));
    let owner = |dir: &Directory| {
        dir.workload_by_ip("", "::ffff:10.0.0.1".parse().unwrap()).map(|w| w.name.to_string())
    };
    assert_eq!(owner(&dir).as_deref(), Some("b-new"));
    dir.remove_workload("Kubernetes//Pod/n/b-new");
    assert_eq!(owner(&dir).as_deref(), Some("a-old"));
    dir.remove_workload("Kubernetes//Pod/n/a-old");
    assert_eq!(owner(&dir), None);
}
