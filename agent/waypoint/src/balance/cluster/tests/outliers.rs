//! Endpoints that are left out, and come back.

use http::StatusCode;

use super::*;

fn detecting(form: l7::OutlierDetection) -> l7::Cluster {
    let outlier_detection =
        Some(l7::OutlierDetection { consecutive_5xx: 2, max_ejection_percent: 50, ..form });
    l7::Cluster { outlier_detection, ..super::form() }
}

fn all(count: u8) -> Vec<l7::Endpoint> {
    (0..count).map(endpoint).collect()
}

impl World {
    /// Lets an endpoint fail as often as it takes.
    fn fail(&mut self, wanted: u8) {
        let others: Vec<_> = self.cluster.endpoints();
        let others: Vec<_> = others.into_iter().filter(|endpoint| number(endpoint) != wanted).collect();
        for _ in 0..2 {
            let context = PickContext { tried: &others, ..Default::default() };
            let picked = self.pick_with(&context).unwrap();
            assert_eq!(number(picked.endpoint()), wanted);
            picked.done(self.now, Outcome::Status(StatusCode::INTERNAL_SERVER_ERROR));
        }
    }

    fn ejected(&self) -> Vec<u8> {
        let endpoints = self.cluster.endpoints();
        let ejected = endpoints.iter().filter(|endpoint| endpoint.is_ejected());
        ejected.map(|endpoint| number(endpoint)).collect()
    }
}

#[test]
fn who_fails_is_left_out_and_comes_back() {
    let mut world = World::new(&detecting(l7::OutlierDetection::default()), &all(3));
    world.fail(1);
    assert_eq!(world.ejected(), [1]);
    assert_eq!(world.counts(&PickContext::default(), 300)[1], 0);
    // Looks are 10 s apart, the first ejection takes 30.
    world.pass(29);
    assert_eq!(world.counts(&PickContext::default(), 300)[1], 0);
    world.pass(1);
    // The last look was a second ago.
    assert_eq!(world.counts(&PickContext::default(), 300)[1], 0);
    world.pass(9);
    assert!(world.counts(&PickContext::default(), 300)[1] > 50);
    assert_eq!(world.ejected(), [0; 0]);
    // The second takes 60.
    world.fail(1);
    world.pass(59);
    world.pick().unwrap().done(world.now, Outcome::Status(StatusCode::OK));
    assert_eq!(world.ejected(), [1]);
    world.pass(11);
    world.pick().unwrap().done(world.now, Outcome::Status(StatusCode::OK));
    assert_eq!(world.ejected(), [0; 0]);
}

#[test]
fn no_more_than_so_many() {
    let mut world = World::new(&detecting(l7::OutlierDetection::default()), &all(4));
    for n in 0..4 {
        world.fail(n);
    }
    assert_eq!(world.ejected(), [0, 1]);
    assert!(fits(&world.counts(&PickContext::default(), 1000)[2..], &[1.0, 1.0]));
    // One that goes makes room for nobody; one that comes does.
    world.update(&all(3));
    world.fail(2);
    assert_eq!(world.ejected(), [0, 1]);
    let six: Vec<_> = all(6);
    world.update(&six);
    world.fail(2);
    assert_eq!(world.ejected(), [0, 1, 2]);
}

#[test]
fn the_only_one_may_be_left_out() {
    let mut world = World::new(&detecting(l7::OutlierDetection::default()), &all(1));
    world.fail(0);
    assert_eq!(world.pick().unwrap_err(), PickError::NoHealthy);
}

#[test]
fn with_too_few_health_means_nothing() {
    let form = l7::OutlierDetection { min_health_percent: 60, ..Default::default() };
    let mut world = World::new(&detecting(form), &all(2));
    world.fail(0);
    assert_eq!(world.ejected(), [0]);
    assert!(fits(&world.counts(&PickContext::default(), 1000)[..2], &[1.0, 1.0]));
    let mut all = all(4);
    all[3].unhealthy = true;
    world.update(&all);
    // Half is healthy: panic.
    assert!(fits(&world.counts(&PickContext::default(), 1000), &[1.0; 4]));
    world.update(&all[..3]);
    let found = world.counts(&PickContext::default(), 1000);
    assert!(found[0] == 0 && fits(&found[1..3], &[1.0, 1.0]), "two of three are enough: {found:?}");
}

#[test]
fn without_detection_nobody_is_left_out() {
    let mut world = World::new(&detecting(l7::OutlierDetection::default()), &all(2));
    world.fail(0);
    assert_eq!(world.ejected(), [0]);
    world.cluster.reconfigure(&form(), &own(), world.now).unwrap();
    assert_eq!(world.ejected(), [0; 0]);
    world.fail(0);
    assert_eq!(world.ejected(), [0; 0]);
    assert!(fits(&world.counts(&PickContext::default(), 1000)[..2], &[1.0, 1.0]));
}

#[test]
fn other_settings_change_neither_counts_nor_ejections() {
    let mut world = World::new(&detecting(l7::OutlierDetection::default()), &all(3));
    world.fail(0);
    let picked = world.pick().unwrap();
    let interval = Some(prost_types::Duration { seconds: 1, nanos: 0 });
    let shorter = detecting(l7::OutlierDetection { interval, ..Default::default() });
    world.cluster.reconfigure(&shorter, &own(), world.now).unwrap();
    assert_eq!(world.ejected(), [0]);
    assert_eq!(world.cluster.breakers().count(Limit::Requests), 1);
    assert_eq!(picked.endpoint().active(), 1);
    // A form that is refused changes nothing.
    assert!(world.cluster.reconfigure(&l7::Cluster::default(), &own(), world.now).is_err());
    world.pass(31);
    drop(world.pick());
    assert_eq!(world.ejected(), [0; 0], "looks come sooner now");
    // What was chosen before still tells of itself.
    picked.done(world.now, Outcome::LocalFailure);
    picked.done(world.now, Outcome::LocalFailure);
    assert_eq!(world.ejected().len(), 1);
}

#[test]
fn who_has_left_is_not_ejected() {
    let mut world = World::new(&detecting(l7::OutlierDetection::default()), &all(1));
    let picked = world.pick().unwrap();
    world.update(&[endpoint(1)]);
    for _ in 0..5 {
        picked.done(world.now, Outcome::LocalFailure);
    }
    assert_eq!(world.ejected(), [0; 0]);
    assert!(!picked.endpoint().is_ejected());
}
