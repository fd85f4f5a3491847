//! Endpoints that fail, with a clock of our own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Members, Outliers};
use crate::OutlierPolicy;

const SECOND: Duration = Duration::from_secs(1);

/// Endpoints `a`, `b`, ... and what happens to them.
struct World {
    outliers: Outliers,
    policy: OutlierPolicy,
    members: BTreeSet<&'static str>,
    now: Instant,
}

impl Members for BTreeSet<&'static str> {
    fn count(&self) -> usize {
        self.len()
    }

    fn has(&self, uid: &str) -> bool {
        self.contains(uid)
    }
}

impl World {
    fn new(members: &[&'static str]) -> Self {
        let policy = OutlierPolicy {
            consecutive_failures: 2,
            interval: SECOND,
            base_ejection_time: 30 * SECOND,
            max_ejection_percent: 50,
            min_health_percent: 0,
        };
        let members = members.iter().copied().collect();
        Self { outliers: Outliers::default(), policy, members, now: Instant::now() }
    }

    fn pass(&mut self, seconds: u32) {
        self.now += seconds * SECOND;
    }

    /// For how many seconds it is left out, if it is for this failure.
    fn fails(&mut self, uid: &str) -> Option<u64> {
        let time = self.outliers.failed(&self.policy, &Arc::from(uid), &self.members, self.now);
        time.map(|time| time.as_secs())
    }

    fn fails_twice(&mut self, uid: &str) -> Option<u64> {
        assert_eq!(self.fails(uid), None);
        self.fails(uid)
    }

    fn left_out(&mut self) -> String {
        let ejected = self.outliers.ejected(&self.policy, self.now);
        ejected.iter().map(|uid| &**uid).collect()
    }
}

#[test]
fn failures_in_a_row_count() {
    let mut world = World::new(&["a", "b"]);
    assert_eq!(world.fails("a"), None);
    world.outliers.succeeded("a");
    assert!(world.outliers.is_empty(), "of who is well nothing is kept");
    assert_eq!(world.fails("a"), None);
    assert_eq!(world.fails("b"), None);
    assert_eq!(world.left_out(), "");
    assert_eq!(world.fails("a"), Some(30));
    assert_eq!(world.left_out(), "a");
}

#[test]
fn who_was_left_out_comes_back_at_a_look() {
    let mut world = World::new(&["a", "b"]);
    assert_eq!(world.fails_twice("a"), Some(30));
    world.pass(29);
    assert_eq!(world.left_out(), "a");
    world.pass(1);
    // The look before was a second ago: this one is due.
    assert_eq!(world.left_out(), "");
    assert_eq!(world.fails("a"), None, "it begins anew");
}

#[test]
fn each_time_is_longer_and_good_times_are_remembered() {
    let mut world = World::new(&["a", "b"]);
    for times in [1, 2, 3] {
        assert_eq!(world.fails_twice("a"), Some(30 * times));
        world.pass(30 * u32::try_from(times).unwrap());
        assert_eq!(world.left_out(), "");
    }
    world.pass(2);
    assert_eq!(world.left_out(), "");
    assert_eq!(world.fails_twice("a"), Some(60), "two good intervals: as the second time");
    world.pass(100);
    assert_eq!(world.left_out(), "");
    world.pass(100);
    assert_eq!(world.left_out(), "");
    assert!(world.outliers.is_empty(), "all is forgotten");
}

#[test]
fn no_longer_than_five_minutes() {
    let mut world = World::new(&["a", "b"]);
    for _ in 0..20 {
        let time = world.fails_twice("a").unwrap();
        assert!(time <= 300);
        world.now += Duration::from_secs(time);
        world.left_out();
    }
    world.policy.base_ejection_time = 400 * SECOND;
    assert_eq!(world.fails_twice("a"), Some(400), "unless one time alone is");
}

#[test]
fn no_more_than_the_percentage() {
    let mut world = World::new(&["a", "b", "c", "d"]);
    assert_eq!(world.fails_twice("a"), Some(30));
    assert_eq!(world.fails_twice("b"), Some(30));
    assert_eq!(world.fails_twice("c"), None, "half is out");
    assert_eq!(world.left_out(), "ab");
    // Endpoints that are gone are not among those that are out.
    world.members.remove("a");
    world.members.insert("e");
    assert_eq!(world.fails_twice("c"), Some(30));
    assert_eq!(world.left_out(), "bc");
}

#[test]
fn the_first_may_always_go() {
    let mut world = World::new(&["a", "b", "c"]);
    world.policy.max_ejection_percent = 0;
    assert_eq!(world.fails_twice("a"), Some(30));
    assert_eq!(world.fails_twice("b"), None);
}

#[test]
fn who_is_no_member_is_not_remembered() {
    let mut world = World::new(&["a"]);
    assert_eq!(world.fails_twice("z"), None);
    assert!(world.outliers.is_empty());
}

#[test]
fn who_is_out_is_not_left_out_again() {
    let mut world = World::new(&["a", "b"]);
    assert_eq!(world.fails_twice("a"), Some(30));
    // Connections that were under way.
    assert_eq!((world.fails("a"), world.fails("a"), world.fails("a")), (None, None, None));
    world.pass(30);
    assert_eq!(world.left_out(), "");
}
