use rstest::rstest;

use super::*;

fn pod(name: &str) -> Workload {
    Workload { tunnel_protocol: TunnelProtocol::Hbone, node: "n1".into(), ..Workload::pod("shop", name) }
}

fn local(workloads: Vec<Workload>, pattern: &str) -> Update {
    let mut directory = Directory::new();
    for workload in workloads {
        directory.upsert_workload(workload);
    }
    let netns = pattern.parse().unwrap();
    let pods = LocalPods { node: "n1".into(), cluster: "Kubernetes".into(), netns };
    pods.update(Arc::new(directory))
}

#[rstest]
#[case::ours(pod("web"), true)]
#[case::unhealthy(Workload { status: weir_model::Health::Unhealthy, ..pod("web") }, true)]
#[case::other_node(Workload { node: "n2".into(), ..pod("web") }, false)]
#[case::not_enrolled(Workload { tunnel_protocol: TunnelProtocol::None, ..pod("web") }, false)]
#[case::speaks_hbone_itself(Workload { native_tunnel: true, ..pod("web") }, false)]
#[case::of_the_host(Workload { network_mode: NetworkMode::HostNetwork, ..pod("web") }, false)]
#[case::other_cluster(Workload { cluster_id: "c2".into(), uid: "c2//Pod/shop/web".into(), ..pod("web") }, false)]
#[case::says_it_is_of_our_cluster(Workload { uid: "c2//Pod/shop/web".into(), ..pod("web") }, false)]
#[case::machine(Workload { uid: "Kubernetes/networking.istio.io/WorkloadEntry/shop/web".into(), ..pod("web") }, false)]
fn what_is_captured(#[case] workload: Workload, #[case] captured: bool) {
    let update = local(vec![workload], "/run/netns/{name}");
    assert_eq!(update.local.len(), usize::from(captured));
    assert_eq!(update.refused, []);
    if captured {
        assert_eq!(update.local[0].netns, PathBuf::from("/run/netns/web"));
    }
}

#[test]
fn two_pods_cannot_have_one_namespace() {
    let other = Workload { namespace: "bank".into(), uid: "Kubernetes//Pod/bank/web".into(), ..pod("web") };
    let workloads = vec![pod("web"), other, pod("db")];
    let update = local(workloads.clone(), "/run/netns/{name}");
    assert_eq!(update.local.len(), 1, "only the one that is alone in its namespace");
    assert_eq!(update.refused.len(), 2);
    assert!(update.refused[0].1.contains("/run/netns/web"), "{:?}", update.refused);
    assert_eq!(local(workloads, "/run/netns/{namespace}/{name}").local.len(), 3);
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    let update = local(vec![pod("../../proc/1/ns/net")], "/run/netns/{name}");
    assert_eq!((update.local.len(), update.refused.len()), (0, 1));
}
