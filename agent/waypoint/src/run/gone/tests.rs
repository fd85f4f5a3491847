use rstest::rstest;

use super::*;
use crate::balance::Own;
use crate::configuration::{Destination, Served};

const WEB: &str = "shop/web.shop";

fn key(subset: &str) -> BackendRef {
    BackendRef { resource: WEB.into(), port: 80, subset: subset.into() }
}

/// Routes of another service name this subset of the backend, which is there or not.
fn picture(subset: Option<&str>, is_there: bool) -> Picture {
    let to = |subset: &str| l7::BackendRef {
        namespace: "shop".into(),
        hostname: "web.shop".into(),
        port: 80,
        subset: subset.into(),
    };
    let target = |subset: &str| l7::weighted_backend::Target::Backend(to(subset));
    let backend = |subset: &str| l7::WeightedBackend { target: Some(target(subset)), ..Default::default() };
    let backends = subset.iter().map(|subset| backend(subset)).collect();
    let route = l7::ConnectionRoute { backends, ..Default::default() };
    let port = l7::FrontendPort { port: 80, tcp: vec![route], ..Default::default() };
    let routes = Arc::new(l7::Frontend {
        namespace: "shop".into(),
        hostname: "front.shop".into(),
        ports: vec![port],
        ..Default::default()
    });
    let served = Served { newest: routes.clone(), routes, waypoint: Arc::default() };
    let destination = || Destination {
        backend: Arc::default(),
        endpoints: Arc::default(),
        credentials: Default::default(),
        unresolved: Default::default(),
    };
    Picture {
        services: [("shop/front.shop".into(), Arc::new(served))].into(),
        backends: is_there.then(|| (WEB.into(), Arc::new(destination()))).into_iter().collect(),
        ..Picture::default()
    }
}

/// After how many seconds it is still there.
#[rstest]
#[case::a_subset_that_routes_name(Some("v1"), true, &[0, 14, 16, 3600])]
#[case::a_subset_that_nobody_names(Some("v2"), true, &[0, 14])]
#[case::a_backend_that_nobody_names(None, false, &[0, 14])]
#[case::a_backend_that_does_not_exist(Some("v1"), false, &[])]
fn what_went_stays_as_long_as_it_is_needed(
    #[case] named: Option<&str>,
    #[case] is_there: bool,
    #[case] wanted: &[u64],
) {
    let start = Instant::now();
    let form = l7::Cluster { port: 80, subset: "v1".into(), ..Default::default() };
    let cluster = Arc::new(Cluster::new(&form, &Own::default(), start).unwrap());
    let picture = picture(named, is_there);
    let (mut gone, mut before) = (Gone::default(), HashMap::from([(key("v1"), cluster)]));
    let (mut found, cluster) = (Vec::new(), before[&key("v1")].clone());
    for seconds in [0, 14, 16, 3600] {
        let mut clusters = HashMap::new();
        gone.keep(&before, &picture, &mut clusters, start + Duration::from_secs(seconds));
        if clusters.contains_key(&key("v1")) {
            found.push(seconds);
            assert_eq!(cluster.is_retired(), named != Some("v1"), "its connections are of use");
        }
        before = clusters;
    }
    assert_eq!(found, wanted);
    assert_eq!(gone.0.len(), before.len(), "what is forgotten leaves nothing");
}

#[test]
fn what_came_back_is_not_kept_from_before() {
    let start = Instant::now();
    let form = l7::Cluster { port: 80, subset: "v1".into(), ..Default::default() };
    let new = || Arc::new(Cluster::new(&form, &Own::default(), start).unwrap());
    let (old, newer, mut gone) = (new(), new(), Gone::default());
    let before = HashMap::from([(key("v1"), old)]);
    gone.keep(&before, &picture(None, true), &mut HashMap::new(), start);
    let mut clusters = HashMap::from([(key("v1"), newer.clone())]);
    gone.keep(&before, &picture(None, true), &mut clusters, start);
    assert!(Arc::ptr_eq(&clusters[&key("v1")], &newer) && gone.0.is_empty());
}
