mod model;
mod outliers;

use std::time::Duration;

use rand::{RngExt as _, rngs::StdRng};
use rstest::rstest;

use super::*;
use crate::balance::{
    Outcome,
    fixture::{fits, form as endpoint, form_at, number, seeded},
};

/// A form with random choice, unless it says something else.
fn form() -> l7::Cluster {
    balanced(l7::load_balancer::Algorithm::Random(l7::Random {}))
}

fn balanced(algorithm: l7::load_balancer::Algorithm) -> l7::Cluster {
    let load_balancer = Some(l7::LoadBalancer { algorithm: Some(algorithm), ..Default::default() });
    l7::Cluster { port: 80, load_balancer, ..Default::default() }
}

fn own() -> Own {
    Own { locality: "r1/z1/s1".into(), ..Default::default() }
}

/// A cluster and what choosing needs.
struct World {
    cluster: Arc<Cluster>,
    now: Instant,
    random: StdRng,
}

impl World {
    fn new(form: &l7::Cluster, endpoints: &[l7::Endpoint]) -> World {
        let now = Instant::now();
        let cluster = Arc::new(Cluster::new(form, &own(), now).unwrap());
        assert_eq!(cluster.update(endpoints, now), []);
        World { cluster, now, random: seeded() }
    }

    fn pick(&mut self) -> Result<Picked, PickError> {
        self.pick_with(&PickContext::default())
    }

    fn pick_with(&mut self, context: &PickContext<'_>) -> Result<Picked, PickError> {
        self.cluster.pick(self.now, &mut self.random, context)
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn update(&self, endpoints: &[l7::Endpoint]) {
        assert_eq!(self.cluster.update(endpoints, self.now), []);
    }

    /// How often each of the first endpoints is chosen.
    fn counts(&mut self, context: &PickContext<'_>, times: usize) -> [u64; 4] {
        let mut counts = [0; 4];
        for _ in 0..times {
            counts[usize::from(number(self.pick_with(context).unwrap().endpoint()))] += 1;
        }
        counts
    }
}

#[test]
fn only_those_of_the_port_and_the_subset_are_in_it() {
    let other_port = l7::Endpoint { ports: [(81, 8080)].into(), ..endpoint(1) };
    let in_subset = l7::Endpoint { subsets: vec!["v1".into(), "v2".into()], ..endpoint(2) };
    let all = [endpoint(0), other_port, in_subset];
    let members = |subset: &str| {
        let world = World::new(&l7::Cluster { subset: subset.into(), ..form() }, &all);
        world.cluster.endpoints().iter().map(|endpoint| number(endpoint)).collect::<Vec<_>>()
    };
    assert_eq!(members(""), [0, 2]);
    assert_eq!(members("v2"), [2]);
    assert_eq!(members("v3"), [0; 0]);
}

#[test]
fn what_is_no_endpoint_is_told_and_does_no_harm() {
    let mut world = World::new(&form(), &[]);
    let no_address = l7::Endpoint { addresses: vec![], ..endpoint(1) };
    let half_an_address = l7::Endpoint { addresses: vec![vec![1, 2]], ..endpoint(1) };
    let no_port = l7::Endpoint { ports: [(80, 0)].into(), ..endpoint(1) };
    let by_name = l7::Endpoint { addresses: vec![], hostname: "h".into(), ..endpoint(1) };
    let all = [no_address, endpoint(0), half_an_address, no_port, endpoint(0), by_name];
    let paths: Vec<_> = world.cluster.update(&all, world.now).into_iter().map(|error| error.path).collect();
    assert_eq!(paths, ["endpoints[0].addresses", "endpoints[2].addresses[0]", "endpoints[3].ports"]);
    let addresses: Vec<_> =
        world.cluster.endpoints().iter().map(|endpoint| endpoint.address().to_string()).collect();
    assert_eq!(addresses, ["10.0.0.0:8080", "h:8080"]);
    assert!(world.pick().is_ok());
}

#[test]
fn who_stays_keeps_what_is_known() {
    let mut world = World::new(&form(), &[endpoint(0)]);
    let picked = world.pick().unwrap();
    let heavier = l7::Endpoint { weight: 7, ..endpoint(0) };
    world.update(&[endpoint(1), heavier]);
    let endpoints = world.cluster.endpoints();
    assert_eq!((endpoints[1].active(), endpoints[1].weight()), (1, 7));
    drop(picked);
    assert_eq!(endpoints[1].active(), 0);
    world.update(&[endpoint(1)]);
    world.update(&[endpoint(1), endpoint(0)]);
    assert!(!Arc::ptr_eq(&world.cluster.endpoints()[1].known, &endpoints[1].known), "it came anew");
    // The same once more is no change.
    let before = world.cluster.picture.load_full();
    world.update(&[endpoint(1), endpoint(0)]);
    assert!(Arc::ptr_eq(&before, &world.cluster.picture.load_full()));
}

#[test]
fn nobody_is_there() {
    let mut world = World::new(&form(), &[]);
    assert_eq!(world.pick().unwrap_err(), PickError::NoEndpoints);
    world.update(&[l7::Endpoint { unhealthy: true, ..endpoint(0) }]);
    assert_eq!(world.pick().unwrap_err(), PickError::NoHealthy);
    assert_eq!(world.cluster.breakers().count(Limit::Requests), 0);
    world.update(&[l7::Endpoint { unhealthy: true, ..endpoint(0) }, endpoint(1)]);
    assert_eq!(number(world.pick().unwrap().endpoint()), 1);
}

fn local(locality: l7::Locality) -> l7::Cluster {
    let locality = Some(l7::Locality { enabled: true, ..locality });
    let load_balancer = l7::LoadBalancer { locality, ..form().load_balancer.unwrap() };
    l7::Cluster { load_balancer: Some(load_balancer), ..form() }
}

#[test]
fn the_near_serve_as_far_as_they_can() {
    let at = |n, place, unhealthy| l7::Endpoint { unhealthy, ..form_at(n, place) };
    let places = |unhealthy: [bool; 4]| {
        [
            at(0, "r1/z1/s1", unhealthy[0]),
            at(1, "r1/z1/s1", unhealthy[1]),
            at(2, "r1/z2/s1", unhealthy[2]),
            at(3, "r2/z1/s1", unhealthy[3]),
        ]
    };
    let mut world = World::new(&local(l7::Locality::default()), &places([false; 4]));
    let context = PickContext::default();
    let found = world.counts(&context, 10_000);
    assert!(fits(&found[..2], &[1.0, 1.0]) && found[2..] == [0, 0], "{found:?}");
    // One of two healthy: 70 %, and the rest goes to the next level.
    world.update(&places([true, false, false, false]));
    let found = world.counts(&context, 10_000);
    assert!(fits(&found[1..3], &[70.0, 30.0]) && found[3] == 0, "{found:?}");
    world.update(&places([true, true, true, false]));
    assert_eq!(world.counts(&context, 100), [0, 0, 0, 100]);
}

#[test]
fn a_retry_goes_to_another_level_if_it_may() {
    let all = [form_at(0, "r1/z1/s1"), form_at(1, "r1/z1/s1"), form_at(2, "r1/z2/s1")];
    let mut world = World::new(&local(l7::Locality::default()), &all);
    let tried = [Arc::clone(world.pick().unwrap().endpoint())];
    let other = 1 - usize::from(number(&tried[0]));
    let context = PickContext { tried: &tried, ..Default::default() };
    assert_eq!(world.counts(&context, 100)[other], 100);
    let context = PickContext { remote_localities: true, ..context };
    assert_eq!(world.counts(&context, 100)[2], 100);
}

#[test]
fn shares_by_locality() {
    let to = [("r1/z1/*".to_owned(), 80), ("r1/*".to_owned(), 20)].into();
    let distribute = vec![l7::Distribution { from: "r1/*".into(), to }];
    let form = local(l7::Locality { distribute, ..Default::default() });
    let all = [form_at(0, "r1/z1/s1"), form_at(1, "r1/z2"), form_at(2, "r1/z3"), form_at(3, "r2")];
    let mut world = World::new(&form, &all);
    let context = PickContext::default();
    let found = world.counts(&context, 10_000);
    assert!(fits(&found[..3], &[80.0, 10.0, 10.0]) && found[3] == 0, "{found:?}");
    // Half of the second locality bears 70 % of its share.
    let ill = l7::Endpoint { unhealthy: true, ..form_at(1, "r1/z2") };
    world.update(&[form_at(0, "r1/z1/s1"), ill, form_at(2, "r1/z3")]);
    let found = world.counts(&context, 10_000);
    assert!(fits(&[found[0], found[2]], &[80.0, 14.0]) && found[1] == 0, "{found:?}");
    // Only endpoints without a share.
    world.update(&[form_at(3, "r2")]);
    assert_eq!(world.pick().unwrap_err(), PickError::NoHealthy);
}

fn limited(pool: l7::ConnectionPool) -> l7::Cluster {
    l7::Cluster { connection_pool: Some(pool), ..form() }
}

#[test]
fn limits_hold_while_requests_live() {
    let pool =
        l7::ConnectionPool { max_requests: 2, max_retries: 1, max_connections: 1, ..Default::default() };
    let mut world = World::new(&limited(pool), &[endpoint(0)]);
    let retry = PickContext { purpose: Purpose::Retry, ..Default::default() };
    let (one, two) = (world.pick().unwrap(), world.pick_with(&retry).unwrap());
    assert_eq!(world.pick().unwrap_err(), PickError::Overflow(Limit::Requests));
    drop(one);
    assert_eq!(world.pick_with(&retry).unwrap_err(), PickError::Overflow(Limit::Retries));
    drop(two);
    assert!(world.pick_with(&retry).is_ok());
    let connection = PickContext { purpose: Purpose::Connection, ..Default::default() };
    let held = world.pick_with(&connection).unwrap();
    assert_eq!(world.cluster.connection().unwrap_err(), Limit::Connections);
    assert_eq!(world.pick_with(&connection).unwrap_err(), PickError::Overflow(Limit::Connections));
    drop(held);
    assert!(world.cluster.connection().is_ok());
    for limit in [Limit::Requests, Limit::Retries, Limit::Connections] {
        assert_eq!(world.cluster.breakers().count(limit), 0);
    }
}

#[test]
fn a_budget_takes_the_place_of_a_number_of_retries() {
    let budget = l7::RetryBudget { percent: 50, min_concurrency: 1, interval: None };
    let pool = l7::ConnectionPool { max_retries: 1, ..Default::default() };
    let form = l7::Cluster { retry_budget: Some(budget), ..limited(pool) };
    let mut world = World::new(&form, &[endpoint(0)]);
    let retry = PickContext { purpose: Purpose::Retry, ..Default::default() };
    let requests: Vec<_> = (0..6).map(|_| world.pick().unwrap()).collect();
    let mut retries = Vec::new();
    let error = loop {
        match world.pick_with(&retry) {
            Ok(picked) => retries.push(picked),
            Err(error) => break error,
        }
    };
    // Half of the eleven that are under way then.
    assert_eq!((retries.len(), error), (5, PickError::Overflow(Limit::RetryBudget)));
    drop((requests, retries));
    assert_eq!(world.cluster.breakers().count(Limit::Requests), 0);
}

#[test]
fn passthrough() {
    let form = balanced(l7::load_balancer::Algorithm::Passthrough(l7::Passthrough {}));
    let mut world = World::new(&form, &[endpoint(0), endpoint(1)]);
    let mut dial = |address: &str| {
        let original_destination = Some(address.parse().unwrap());
        let context = PickContext { original_destination, ..Default::default() };
        let picked = world.pick_with(&context).unwrap();
        (picked.endpoint().address().to_string(), picked.endpoint().form().uid.clone())
    };
    assert_eq!(dial("10.0.0.1:8080"), ("10.0.0.1:8080".into(), "pod-1".into()));
    assert_eq!(dial("[::ffff:10.0.0.1]:8080").1, "pod-1");
    assert_eq!(dial("10.0.0.9:8080"), ("10.0.0.9:8080".into(), String::new()));
    assert_eq!(world.pick().unwrap_err(), PickError::NoOriginalDestination);
}

fn hashed(table: Option<l7::consistent_hash::Table>) -> l7::Cluster {
    let key = Some(l7::consistent_hash::Key::SourceIp(true));
    balanced(l7::load_balancer::Algorithm::ConsistentHash(l7::ConsistentHash { key, table }))
}

#[rstest]
#[case::ring(None, 0)]
#[case::maglev(Some(l7::consistent_hash::Table::MaglevTableSize(5003)), 40)]
fn clients_stay_where_they_are(#[case] table: Option<l7::consistent_hash::Table>, #[case] moved: usize) {
    let all: Vec<_> = (0..4).map(endpoint).collect();
    let mut world = World::new(&hashed(table), &all);
    let places = |world: &mut World| -> Vec<u8> {
        (0..500_u32)
            .map(|n| {
                let hash = world.cluster.connection_key(IpAddr::from(n.to_be_bytes()));
                number(world.pick_with(&PickContext { hash, ..Default::default() }).unwrap().endpoint())
            })
            .collect()
    };
    let before = places(&mut world);
    assert!((0..4).all(|n| before.iter().filter(|place| **place == n).count() > 60), "{before:?}");
    assert_eq!(places(&mut world), before);
    let mut ill = all.clone();
    ill[2].unhealthy = true;
    world.update(&ill);
    let meanwhile = places(&mut world);
    let others = before.iter().zip(&meanwhile).filter(|(old, new)| old != new && **old != 2);
    assert!(others.count() <= moved);
    assert!(!meanwhile.contains(&2));
    world.update(&all);
    assert_eq!(places(&mut world), before);
}

#[rstest]
#[case::port(l7::Cluster { port: 0, ..form() }, "port")]
#[case::prime(
    hashed(Some(l7::consistent_hash::Table::MaglevTableSize(10))),
    "load_balancer.consistent_hash.maglev_table_size"
)]
#[case::large(hashed(Some(l7::consistent_hash::Table::MinimumRingSize(1 << 24))),
    "load_balancer.consistent_hash.minimum_ring_size")]
#[case::no_key(
    balanced(l7::load_balancer::Algorithm::ConsistentHash(Default::default())),
    "load_balancer.consistent_hash"
)]
fn is_refused(#[case] form: l7::Cluster, #[case] path: &str) {
    assert_eq!(Cluster::new(&form, &own(), Instant::now()).unwrap_err().path, path);
}

#[test]
fn many_at_a_time() {
    let pool = l7::ConnectionPool { max_requests: 8, ..Default::default() };
    let world = World::new(&limited(pool), &[endpoint(0), endpoint(1)]);
    let (cluster, now) = (&world.cluster, world.now);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut random = seeded();
                for n in 0..2000 {
                    if n % 10 == 0 {
                        let all: Vec<_> = (0..random.random_range(1..4)).map(endpoint).collect();
                        cluster.update(&all, now);
                    }
                    let picked = cluster.pick(now, &mut random, &PickContext::default());
                    assert!(cluster.breakers().count(Limit::Requests) <= 8);
                    picked.unwrap().done(now, Outcome::LocalFailure);
                }
            });
        }
    });
    assert_eq!(cluster.breakers().count(Limit::Requests), 0);
    assert!(cluster.endpoints().iter().all(|endpoint| endpoint.active() == 0));
}
