//! Consistent hashing by Maglev's table (NSDI 2016, section 3.4): even shares and one look, for a little more disruption.

use xxhash_rust::xxh64::xxh64;

/// A prime number of places, each with an endpoint.
#[derive(Debug)]
pub(super) struct Maglev {
    places: Box<[u32]>,
}

/// An endpoint's way through the table: every place once, as the size is a prime.
struct Way {
    at: u64,
    step: u64,
    /// Turns are taken in proportion to it.
    weight: u64,
    credit: u64,
}

impl Maglev {
    /// Of keys and weights. The size is a prime.
    pub(super) fn new(endpoints: &[(&str, u32)], size: u64) -> Maglev {
        let mut order: Vec<usize> = (0..endpoints.len()).collect();
        // Who comes first matters; the same in every waypoint.
        order.sort_by_key(|n| endpoints[*n].0);
        let way = |n: &usize| {
            let key = endpoints[*n].0.as_bytes();
            let (at, step) = (xxh64(key, 0) % size, xxh64(key, 1) % (size - 1) + 1);
            Way { at, step, weight: endpoints[*n].1.into(), credit: 0 }
        };
        let ways: Vec<_> = order.iter().map(way).collect();
        let places = fill(ways, size).into_iter().map(|way| way.map_or(0, |way| order[way] as u32));
        Maglev { places: if endpoints.is_empty() { Box::default() } else { places.collect() } }
    }

    /// The endpoint at the hash's place.
    pub(super) fn find(&self, hash: u64) -> Option<usize> {
        let size = self.places.len() as u64;
        let place = hash.checked_rem(size)?;
        Some(self.places[place as usize] as usize)
    }
}

/// Turn by turn, each takes the next free place on its way, until there is none.
fn fill(mut ways: Vec<Way>, size: u64) -> Vec<Option<usize>> {
    let mut places = vec![None; size as usize];
    let heaviest = ways.iter().map(|way| way.weight).max().unwrap_or(1).max(1);
    let mut free = if ways.is_empty() { 0 } else { size };
    while free > 0 {
        for (n, way) in ways.iter_mut().enumerate() {
            way.credit += way.weight;
            if way.credit < heaviest || free == 0 {
                continue;
            }
            way.credit -= heaviest;
            while places[way.at as usize].is_some() {
                way.at = (way.at + way.step) % size;
            }
            places[way.at as usize] = Some(n);
            free -= 1;
        }
    }
    places
}

/// Whether a number is one: by trial, as it is at most a few millions.
pub(super) fn is_prime(number: u64) -> bool {
    number >= 2
        && (2..)
            .take_while(|divisor| divisor * divisor <= number)
            .all(|divisor| !number.is_multiple_of(divisor))
}

/// Envoy's bound, a prime.
pub(super) const LARGEST: u64 = 5_000_011;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn keys(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("10.0.0.{n}:80")).collect()
    }

    fn table(keys: &[String], size: u64) -> Maglev {
        let endpoints: Vec<_> = keys.iter().map(|key| (key.as_str(), 1)).collect();
        Maglev::new(&endpoints, size)
    }

    #[rstest]
    #[case(0, false)]
    #[case(1, false)]
    #[case(2, true)]
    #[case(4, false)]
    #[case(65537, true)]
    #[case(65535, false)]
    #[case(LARGEST, true)]
    fn primes(#[case] number: u64, #[case] expected: bool) {
        assert_eq!(is_prime(number), expected);
    }

    #[test]
    fn nobody_is_found_among_none() {
        assert_eq!(Maglev::new(&[], 7).find(3), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn shares_follow_weights(weights in prop::collection::vec(1_u32..50, 1..12)) {
            let keys = keys(weights.len());
            let endpoints: Vec<_> = keys.iter().map(String::as_str).zip(weights.iter().copied()).collect();
            let table = Maglev::new(&endpoints, 5003);
            let sum: u32 = weights.iter().sum();
            for (n, weight) in weights.iter().enumerate() {
                let found = table.places.iter().filter(|place| **place as usize == n).count() as f64;
                let expected = 5003.0 * f64::from(*weight) / f64::from(sum);
                prop_assert!((found - expected).abs() <= 3.0, "{} places for {}", found, expected);
            }
        }

        #[test]
        fn who_leaves_moves_few_others(count in 2_usize..30, gone in any::<prop::sample::Index>()) {
            let before = keys(count);
            let mut after = before.clone();
            let gone = after.remove(gone.index(count));
            let (old, new) = (table(&before, 5003), table(&after, 5003));
            let moved = |place: &u64| {
                let old = &before[old.find(*place).unwrap()];
                *old != gone && *old != after[new.find(*place).unwrap()]
            };
            let moved = (0..5003).filter(moved).count();
            // The paper has a few percent for large tables; its bound here is loose.
            prop_assert!(moved < 5003 / 5, "{} of 5003 moved", moved);
        }

        #[test]
        fn the_order_of_endpoints_means_nothing(count in 1_usize..20) {
            let (before, mut after) = (keys(count), keys(count));
            after.reverse();
            let (old, new) = (table(&before, 251), table(&after, 251));
            for place in 0..251 {
                prop_assert_eq!(&before[old.find(place).unwrap()], &after[new.find(place).unwrap()]);
            }
        }
    }
}
