//! What is wanted, where the pod is and what is captured, and what is done.

use rstest::rstest;

use super::*;

const UID: &str = "c//Pod/shop/web";

fn pod(wish: Wish, addresses: &[&str], announced: bool) -> NodePod {
    NodePod {
        namespace: "shop".into(),
        name: "web".into(),
        uid: "u1".into(),
        node_uid: "u1".into(),
        service_account: "sa".into(),
        addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
        wish,
        probe_ports: vec![80],
        workload: None,
        announced,
        captured: None,
    }
}

fn workload(addresses: &[&str]) -> Workload {
    let addresses = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
    Workload { uid: UID.into(), addresses, ..Workload::pod("shop", "web") }
}

fn at(netns: &str) -> Where {
    Where::At(Place { netns: netns.into(), addresses: vec!["10.0.0.7".parse().unwrap()], ..Place::default() })
}

fn refuse() -> Wish {
    Wish::Refuse { reason: "HostNetwork".into(), message: "because".into() }
}

#[rstest]
#[case::taken_in(Wish::Enrol, false, true, false, Part::Wanted, 1)]
#[case::kept(Wish::Enrol, true, true, true, Part::Wanted, 1)]
#[case::not_there_yet(Wish::Enrol, false, false, false, Part::Awaited, 0)]
#[case::nobodys(Wish::Leave, false, true, false, Part::Left, 0)]
#[case::others_still_tunnel(Wish::Leave, true, true, true, Part::Leaving, 1)]
#[case::others_do_not_any_more(Wish::Leave, false, true, true, Part::Left, 0)]
#[case::announced_by_somebody_else(Wish::Leave, true, true, false, Part::Left, 0)]
#[case::refused(refuse(), false, true, false, Part::Refused("HostNetwork".into(), "because".into()), 0)]
#[case::refused_and_still_captured(refuse(), true, true, true, Part::Leaving, 1)]
fn what_becomes_of_a_pod(
    #[case] wish: Wish,
    #[case] announced: bool,
    #[case] is_there: bool,
    #[case] is_captured: bool,
    #[case] part: Part,
    #[case] wanted: usize,
) {
    let mut directory = Directory::default();
    directory.upsert_workload(workload(&["10.0.0.1"]));
    let place = |_: &NodePod| if is_there { at("/run/netns/a") } else { Where::Unknown };
    let plan = plan(&[Arc::new(pod(wish, &[], announced))], "c", &directory, place, |_| is_captured);
    assert_eq!((&plan.stances[0].part, plan.wanted.len()), (&part, wanted));
    assert!(plan.impossible.is_empty());
}

#[rstest]
#[case::the_apis(&["10.0.0.2"], &["10.0.0.1"], "10.0.0.2")]
#[case::the_meshs(&[], &["10.0.0.1"], "10.0.0.1")]
#[case::the_runtimes(&[], &[], "10.0.0.7")]
fn which_addresses_count(#[case] told: &[&str], #[case] known: &[&str], #[case] first: &str) {
    let mut pod = pod(Wish::Enrol, told, false);
    pod.workload = Some(workload(known));
    let plan = plan(&[Arc::new(pod)], "c", &Directory::default(), |_| at("/n"), |_| false);
    assert_eq!(plan.wanted[0].workload.addresses, [first.parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(plan.wanted[0].probe_ports, [80]);
}

#[test]
fn who_has_an_address_and_no_namespace_is_missed() {
    let plan = plan(
        &[Arc::new(pod(Wish::Enrol, &["10.0.0.1"], false))],
        "c",
        &Directory::default(),
        |_| Where::Unknown,
        |_| false,
    );
    assert!(plan.impossible[0].1.contains("network namespace"), "{plan:?}");
    assert_eq!(plan.claimed(), [UID]);
}

#[test]
fn nobody_speaks_for_two() {
    let mut directory = Directory::default();
    directory.upsert_workload(workload(&["10.0.0.1"]));
    let other = Workload { uid: "c//Pod/shop/db".into(), ..workload(&["10.0.0.2"]) };
    directory.upsert_workload(other);
    let db = NodePod { name: "db".into(), ..pod(Wish::Enrol, &[], false) };
    let pods = [Arc::new(pod(Wish::Enrol, &[], false)), Arc::new(db)];
    let plan = plan(&pods, "c", &directory, |_| at("/n"), |_| false);
    assert_eq!((plan.wanted.len(), plan.impossible.len(), plan.claimed().len()), (0, 2, 2));
}

#[test]
fn who_was_taken_away_is_not_missed() {
    let pods = [Arc::new(pod(Wish::Enrol, &["10.0.0.1"], true))];
    let plan = plan(&pods, "c", &Directory::default(), |_| Where::Nowhere, |_| true);
    assert_eq!((&plan.stances[0].part, plan.wanted.len(), plan.impossible.len()), (&Part::Awaited, 0, 0));
}
