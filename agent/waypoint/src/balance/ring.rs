//! Consistent hashing by a ring: an endpoint that leaves takes its own keys with it and no others.

use xxhash_rust::xxh64::xxh64;

/// Points of endpoints on a circle of 64 bits, in order.
#[derive(Debug)]
pub(super) struct Ring {
    points: Vec<(u64, u32)>,
}

impl Ring {
    /// Of keys and weights. With all that `weights` are the sum of there would be at least `minimum` points (and at most as
    /// many as Envoy has): who is ill for a while does not change how many the others have.
    pub(super) fn new(endpoints: &[(&str, u32)], weights: u64, minimum: u64) -> Ring {
        let scale = Scale::new(weights.max(1), minimum.min(MOST_POINTS));
        let mut points = Vec::new();
        for (place, (key, weight)) in (0..).zip(endpoints) {
            let point = |replica| (xxh64(key.as_bytes(), replica), place);
            points.extend((0..scale.points(*weight)).map(point));
        }
        // Equal points, if ever, are told apart by the keys: the same in every waypoint.
        points.sort_unstable_by_key(|(point, place): &(u64, u32)| (*point, endpoints[*place as usize].0));
        Ring { points }
    }

    /// The endpoint whose point follows the hash.
    pub(super) fn find(&self, hash: u64) -> Option<usize> {
        let next = self.points.partition_point(|(point, _)| *point < hash);
        self.points.get(next).or(self.points.first()).map(|(_, place)| *place as usize)
    }
}

/// How many points a weight is worth. It changes by powers of two only: in between, who comes or goes does not change how
/// many points the others have.
#[derive(Debug, Clone, Copy)]
struct Scale {
    times: u64,
    parts: u64,
}

impl Scale {
    fn new(weights: u64, minimum: u64) -> Scale {
        let (mut times, mut parts) = (1_u64, 1_u64);
        while weights.saturating_mul(times) < minimum {
            times *= 2;
        }
        while times == 1 && weights / (parts * 2) >= minimum.max(1) {
            parts *= 2;
        }
        Scale { times, parts }
    }

    /// Everybody has one.
    fn points(self, weight: u32) -> u64 {
        (u64::from(weight) * self.times / self.parts).max(1)
    }
}

/// Envoy's bound, 8 Mi.
pub(super) const MOST_POINTS: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("10.0.0.{n}:80")).collect()
    }

    fn ring(keys: &[String], minimum: u64) -> Ring {
        let endpoints: Vec<_> = keys.iter().map(|key| (key.as_str(), 1)).collect();
        Ring::new(&endpoints, endpoints.len() as u64, minimum)
    }

    fn hash(n: u64) -> u64 {
        xxh64(&n.to_le_bytes(), 0)
    }

    #[test]
    fn has_as_many_points_as_asked_for() {
        for (endpoints, minimum, expected) in
            [(3, 1024, 1536), (1, 1024, 1024), (2000, 1024, 2000), (1, 0, 1)]
        {
            assert_eq!(ring(&keys(endpoints), minimum).points.len(), expected);
        }
        let heavy = Ring::new(&[("a", 1_000_000), ("b", 1)], 1_000_001, 1024);
        assert!((1024..4096).contains(&heavy.points.len()), "weights do not make it large");
        assert_eq!(Ring::new(&[], 0, 1024).find(0), None);
    }

    #[test]
    fn shares_follow_weights() {
        let ring = Ring::new(&[("a", 1), ("b", 3)], 4, 4096);
        let of_b = (0..10_000).filter(|n| ring.find(hash(*n)) == Some(1)).count();
        assert!((7_000..8_000).contains(&of_b), "{of_b} of 10,000");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn who_leaves_takes_only_its_own_keys(count in 2_usize..40, gone in any::<prop::sample::Index>()) {
            let before = keys(count);
            let mut after = before.clone();
            let gone = after.remove(gone.index(count));
            let (old, new) = (ring(&before, 256), ring(&after, 256));
            // Where the power of two is another, points are added.
            prop_assume!(old.points.len() / before.len() == new.points.len() / after.len());
            for key in 0..500 {
                let old = &before[old.find(hash(key)).unwrap()];
                let new = &after[new.find(hash(key)).unwrap()];
                prop_assert!(old == new || *old == gone);
            }
        }

        #[test]
        fn the_order_of_endpoints_means_nothing(count in 1_usize..20) {
            let (before, mut after) = (keys(count), keys(count));
            after.reverse();
            let (old, new) = (ring(&before, 256), ring(&after, 256));
            for key in 0..200 {
                prop_assert_eq!(&before[old.find(hash(key)).unwrap()], &after[new.find(hash(key)).unwrap()]);
            }
        }
    }
}
