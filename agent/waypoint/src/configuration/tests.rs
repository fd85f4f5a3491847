//! What is asked for and what is in force, step by step.

use proptest::prelude::*;
use rstest::rstest;
use weir_proto::l7::rule::Action;

use super::*;

/// A waypoint and the control plane's words.
#[derive(Default)]
struct Told(Configuration);

impl Told {
    fn waypoint(&mut self, frontends: &[&str]) -> &mut Self {
        let frontends = frontends.iter().map(|name| own(name)).collect();
        self.tell(type_url::WAYPOINT, "shop/wp", &l7::Waypoint { frontends, ..Default::default() })
    }

    /// A frontend whose one route forwards to these.
    fn frontend(&mut self, name: &str, backends: &[&str]) -> &mut Self {
        self.tell(type_url::FRONTEND, &own(name), &frontend(name, backends, &[]))
    }

    /// Both halves of a backend.
    fn backend(&mut self, name: &str) -> &mut Self {
        self.tell(type_url::BACKEND, &own(name), &backend(name)).tell(
            type_url::ENDPOINTS,
            &own(name),
            &l7::Endpoints::default(),
        )
    }

    fn tell<M: Message>(&mut self, type_url: &str, name: &str, message: &M) -> &mut Self {
        self.0.put(type_url, name, &message.encode_to_vec()).unwrap();
        self
    }

    fn gone(&mut self, type_url: &str, name: &str) -> &mut Self {
        self.0.remove(type_url, &own(name));
        self
    }

    /// Services in force, with the backends that their routes name.
    fn served(&mut self) -> BTreeMap<String, Vec<String>> {
        let picture = self.0.settle();
        let one = |(name, served): (&Arc<str>, &Arc<Served>)| {
            let names = named::references(&served.routes).map(|named| short(&named.backend)).collect();
            (short(name), names)
        };
        picture.services.iter().map(one).collect()
    }
}

fn own(name: &str) -> String {
    format!("shop/{name}.shop")
}

fn short(name: &str) -> String {
    name.trim_start_matches("shop/").trim_end_matches(".shop").to_owned()
}

fn backend(name: &str) -> l7::Backend {
    with_subsets(name, &[])
}

/// The whole service, and these.
fn with_subsets(name: &str, subsets: &[&str]) -> l7::Backend {
    let cluster = |subset: &&str| l7::Cluster { port: 80, subset: (*subset).into(), ..Default::default() };
    let clusters = [""].iter().chain(subsets).map(cluster).collect();
    l7::Backend { namespace: "shop".into(), hostname: format!("{name}.shop"), clusters }
}

fn frontend(name: &str, backends: &[&str], policies: &[&str]) -> l7::Frontend {
    let backend = |name: &&str| l7::WeightedBackend {
        weight: 1,
        target: Some(l7::weighted_backend::Target::Backend(l7::BackendRef {
            namespace: "shop".into(),
            hostname: format!("{name}.shop"),
            port: 80,
            subset: String::new(),
        })),
        ..Default::default()
    };
    let forward = l7::Forward {
        backends: backends.iter().map(backend).collect(),
        no_backend_status: 503,
        ..Default::default()
    };
    let rule = l7::Rule { action: Some(Action::Forward(forward)), ..Default::default() };
    let set = l7::RuleSet { rules: vec![rule], ..Default::default() };
    let policy = |name: &&str| l7::Authorization {
        namespace: "shop".into(),
        name: (*name).into(),
        ..Default::default()
    };
    l7::Frontend {
        namespace: "shop".into(),
        hostname: format!("{name}.shop"),
        ports: vec![l7::FrontendPort { port: 80, http: vec![set], ..Default::default() }],
        authorizations: policies.iter().map(policy).collect(),
    }
}

/// The same, where the route names a subset.
fn frontend_of_subset(name: &str, backend: &str, subset: &str) -> l7::Frontend {
    let mut frontend = frontend(name, &[backend], &[]);
    let rules = frontend.ports.iter_mut().flat_map(|port| &mut port.http).flat_map(|set| &mut set.rules);
    for rule in rules {
        if let Some(Action::Forward(forward)) = &mut rule.action
            && let Some(l7::weighted_backend::Target::Backend(to)) = &mut forward.backends[0].target
        {
            to.subset = subset.into();
        }
    }
    frontend
}

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| own(name)).collect()
}

fn map(list: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let one = |(name, to): &(&str, &[&str])| ((*name).into(), to.iter().map(|to| (*to).into()).collect());
    list.iter().map(one).collect()
}

#[test]
fn one_names_the_next() {
    let mut told = Told::default();
    assert_eq!(told.0.wanted(), Wanted::default());
    told.waypoint(&["web", "db"]);
    assert_eq!(told.0.wanted(), Wanted { frontends: names(&["web", "db"]), ..Wanted::default() });
    told.frontend("web", &["web-1", "web-2"]);
    assert_eq!(told.0.wanted().backends, names(&["web", "web-1", "web-2"]), "and itself");
}

#[test]
fn routes_wait_until_all_of_their_backends_are_known() {
    let mut told = Told::default();
    told.waypoint(&["web"]).frontend("web", &["a", "b"]).backend("web").backend("a");
    assert_eq!(told.served(), map(&[]));
    assert_eq!(told.0.settle().waiting.values().collect::<Vec<_>>(), ["shop/b.shop"]);
    told.tell(type_url::BACKEND, &own("b"), &backend("b"));
    assert_eq!(told.served(), map(&[]), "half of it is not enough");
    told.tell(type_url::ENDPOINTS, &own("b"), &l7::Endpoints::default());
    assert_eq!(told.served(), map(&[("web", &["a", "b"])]));
    assert_eq!(told.0.settle().waiting.len(), 0);
}

/// Route, subsets and endpoints of one change, in every order in which they may come.
#[rstest]
#[case([0, 1, 2])]
#[case([0, 2, 1])]
#[case([1, 0, 2])]
#[case([1, 2, 0])]
#[case([2, 0, 1])]
#[case([2, 1, 0])]
fn a_subset_that_takes_anothers_place_is_there_before_its_routes(#[case] order: [usize; 3]) {
    let tell = |told: &mut Told, subset: &str, part: usize| {
        let subsets = vec![subset.to_owned()];
        let endpoints = l7::Endpoints { subsets, ..Default::default() };
        match part {
            0 => told.tell(type_url::FRONTEND, &own("web"), &frontend_of_subset("web", "a", subset)),
            1 => told.tell(type_url::BACKEND, &own("a"), &with_subsets("a", &[subset])),
            _ => told.tell(type_url::ENDPOINTS, &own("a"), &endpoints),
        };
    };
    let mut told = Told::default();
    told.waypoint(&["web"]).backend("web");
    (0..3).for_each(|part| tell(&mut told, "old", part));
    let in_force = |told: &mut Told| {
        let picture = told.0.settle();
        let route = named::references(&picture.services[&*own("web")].routes).next().unwrap();
        let to = &picture.backends[&*own("a")];
        let clusters: Vec<_> = to.backend.clusters.iter().map(|cluster| cluster.subset.clone()).collect();
        assert_eq!(to.endpoints.subsets, clusters[1..], "endpoints of other subsets than the clusters'");
        (route.subset, clusters[1].clone())
    };
    assert_eq!(in_force(&mut told), ("old".into(), "old".into()));
    for (step, part) in order.into_iter().enumerate() {
        tell(&mut told, "new", part);
        let (route, cluster) = in_force(&mut told);
        assert!(route == "old" || cluster == "new", "a route to a subset that is not there");
        if step == 2 {
            assert_eq!((&*route, &*cluster), ("new", "new"));
        }
    }
}

#[test]
fn the_routes_before_stay_meanwhile_and_so_do_their_backends() {
    let mut told = Told::default();
    told.waypoint(&["web"]).frontend("web", &["old"]).backend("web").backend("old");
    assert_eq!(told.served(), map(&[("web", &["old"])]));
    told.frontend("web", &["new"]);
    assert_eq!(told.served(), map(&[("web", &["old"])]));
    assert_eq!(told.0.wanted().backends, names(&["web", "old", "new"]));
    told.backend("new");
    assert_eq!(told.served(), map(&[("web", &["new"])]));
    assert_eq!(told.0.wanted().backends, names(&["web", "new"]));
    assert!(!told.0.settle().backends.contains_key("shop/old.shop"));
}

#[test]
fn policies_wait_for_nothing() {
    let mut told = Told::default();
    told.waypoint(&["web"]).frontend("web", &["a"]).backend("web").backend("a").served();
    told.tell(type_url::FRONTEND, &own("web"), &frontend("web", &["missing"], &["deny"]));
    let picture = told.0.settle();
    let served = &picture.services["shop/web.shop"];
    assert_eq!(named::references(&served.routes).next().unwrap().backend, own("a"), "the routes before");
    assert_eq!(served.authorizations().map(|policy| &*policy.name).collect::<Vec<_>>(), ["deny"]);
}

#[test]
fn policies_of_the_waypoint_hold_for_all() {
    let mut told = Told::default();
    told.waypoint(&["web"]).frontend("web", &[]).backend("web");
    let policy = l7::Authorization { name: "all".into(), ..Default::default() };
    let waypoint =
        l7::Waypoint { frontends: vec![own("web")], authorizations: vec![policy], ..Default::default() };
    told.tell(type_url::WAYPOINT, "shop/wp", &waypoint);
    let picture = told.0.settle();
    let names: Vec<_> = picture.services["shop/web.shop"].authorizations().map(|p| &*p.name).collect();
    assert_eq!(names, ["all"]);
}

#[test]
fn a_backend_that_is_not_there_is_known_too() {
    let mut told = Told::default();
    told.waypoint(&["web"]).frontend("web", &["gone"]).backend("web");
    told.gone(type_url::BACKEND, "gone").gone(type_url::ENDPOINTS, "gone");
    assert_eq!(told.served(), map(&[("web", &["gone"])]));
    assert!(!told.0.settle().backends.contains_key("shop/gone.shop"));
}

#[test]
fn a_backend_without_endpoints_is_there_and_has_none() {
    let mut told = Told::default();
    told.waypoint(&["web"]).frontend("web", &[]);
    told.tell(type_url::BACKEND, &own("web"), &backend("web")).gone(type_url::ENDPOINTS, "web");
    let picture = told.0.settle();
    assert_eq!(picture.backends["shop/web.shop"].endpoints.endpoints, []);
}

#[test]
fn what_is_not_served_any_more_is_gone() {
    let mut told = Told::default();
    told.waypoint(&["web", "db"]).frontend("web", &[]).frontend("db", &[]).backend("web").backend("db");
    assert_eq!(told.served(), map(&[("db", &[]), ("web", &[])]));
    told.gone(type_url::FRONTEND, "db");
    assert_eq!(told.served(), map(&[("web", &[])]));
    told.waypoint(&["db"]);
    assert_eq!(told.served(), map(&[]), "not known yet");
    told.gone(type_url::WAYPOINT, "wp");
    let picture = told.0.settle();
    assert!(picture.services.is_empty() && picture.backends.is_empty());
    assert_eq!(told.0.wanted(), Wanted::default());
}

#[test]
fn what_cannot_be_understood_leaves_what_was() {
    let mut told = Told::default();
    told.waypoint(&["web"]).frontend("web", &["a"]).backend("web").backend("a");
    let mut bad = frontend("web", &["a"], &[]);
    bad.ports[0].port = 0;
    let refused = told.0.put(type_url::FRONTEND, &own("web"), &bad.encode_to_vec());
    assert!(refused.unwrap_err().contains("ports[0].port"));
    let bad = l7::Authorization { action: 9, ..Default::default() };
    let bad = l7::Waypoint { authorizations: vec![bad], ..Default::default() };
    let refused = told.0.put(type_url::WAYPOINT, "shop/wp", &bad.encode_to_vec());
    assert!(refused.unwrap_err().contains("authorizations[0].action"));
    assert!(told.0.put(type_url::BACKEND, "x", &[0xff]).is_err());
    assert!(told.0.put("type.googleapis.com/x.Y", "x", &[]).is_err());
    assert_eq!(told.served(), map(&[("web", &["a"])]));
}

#[test]
fn what_did_not_change_is_the_same() {
    let mut told = Told::default();
    told.waypoint(&["web", "db"]).frontend("web", &[]).frontend("db", &[]).backend("web").backend("db");
    let before = told.0.settle();
    told.frontend("web", &["db"]).backend("db");
    let after = told.0.settle();
    let same = |name: &str| Arc::ptr_eq(&before.services[name], &after.services[name]);
    assert!(same("shop/db.shop") && !same("shop/web.shop"));
    let same = |name: &str| Arc::ptr_eq(&before.backends[name], &after.backends[name]);
    assert!(same("shop/db.shop") && same("shop/web.shop"), "equal endpoints are no change");
}

#[derive(Debug, Clone)]
enum Step {
    Waypoint(Vec<u8>),
    Frontend(u8, Vec<u8>),
    NoFrontend(u8),
    Half(u8, bool, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let some = || prop::collection::vec(0..5_u8, 0..4);
    prop_oneof![
        some().prop_map(Step::Waypoint),
        (0..5_u8, some()).prop_map(|(name, to)| Step::Frontend(name, to)),
        (0..5_u8).prop_map(Step::NoFrontend),
        (0..5_u8, any::<bool>(), any::<bool>()).prop_map(|(name, half, there)| Step::Half(name, half, there)),
    ]
}

proptest! {
    /// Whatever is said in whatever order: what is in force was asked for, and all that it names has been answered for.
    #[test]
    fn no_request_meets_a_route_whose_backend_is_not_known(steps in prop::collection::vec(step(), 0..60)) {
        let mut told = Told::default();
        let mut halves = BTreeSet::new();
        let name = |n: &u8| format!("s{n}");
        for step in steps {
            match &step {
                Step::Waypoint(to) => {
                    let to: Vec<String> = to.iter().map(name).collect();
                    told.waypoint(&to.iter().map(String::as_str).collect::<Vec<_>>());
                }
                Step::Frontend(n, to) => {
                    let to: Vec<String> = to.iter().map(name).collect();
                    told.frontend(&name(n), &to.iter().map(String::as_str).collect::<Vec<_>>());
                }
                Step::NoFrontend(n) => _ = told.gone(type_url::FRONTEND, &name(n)),
                Step::Half(n, half, there) => {
                    let name = name(n);
                    match (half, there) {
                        (true, true) => told.tell(type_url::BACKEND, &own(&name), &backend(&name)),
                        (true, false) => told.gone(type_url::BACKEND, &name),
                        (false, true) => told.tell(type_url::ENDPOINTS, &own(&name), &l7::Endpoints::default()),
                        (false, false) => told.gone(type_url::ENDPOINTS, &name),
                    };
                    halves.insert((own(&name), *half));
                }
            }
            let wanted = told.0.wanted();
            let picture = told.0.settle();
            for (name, served) in &picture.services {
                prop_assert!(wanted.frontends.contains(&**name));
                let routes = named::references(&served.routes).map(|named| named.backend);
                for backend in routes.chain([named::own(&served.routes)]) {
                    prop_assert!(wanted.backends.contains(&backend), "{} is not asked for", backend);
                    prop_assert!(halves.contains(&(backend.clone(), true)) && halves.contains(&(backend, false)));
                }
            }
            // What nobody wants is forgotten, and has to be answered for again.
            let now = told.0.wanted().backends;
            halves.retain(|(name, _)| now.contains(name));
        }
    }
}
