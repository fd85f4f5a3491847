use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;
use weir_proto::l7;

use super::*;
use crate::balance::fixture::{compiled, fits, form, number, seeded};

fn pool(weights: &[u32], table: Option<Table>, now: Instant) -> Pool {
    let endpoint = |(n, weight): (u8, &u32)| compiled(&l7::Endpoint { weight: *weight, ..form(n) }, now);
    let sum = weights.iter().map(|weight| u64::from(*weight)).sum();
    Pool::new((0..).zip(weights).map(endpoint).collect(), sum, table, 0)
}

fn wish(algorithm: &Algorithm, now: Instant) -> Wish<'_> {
    Wish { algorithm, warmup: None, now, hash: None, tried: &[] }
}

/// How often each was chosen.
fn counts(pool: &Pool, wish: &Wish<'_>, times: usize) -> Vec<u64> {
    let (mut counts, mut random) = (vec![0; pool.endpoints.len()], seeded());
    for _ in 0..times {
        counts[usize::from(number(pool.choose(wish, &mut random).unwrap()))] += 1;
    }
    counts
}

#[rstest]
#[case::random(Algorithm::Random)]
#[case::least_request_without_load(Algorithm::LeastRequest(2))]
#[case::least_of_many(Algorithm::LeastRequest(5))]
fn shares_follow_weights(
    #[case] algorithm: Algorithm,
    #[values(&[1, 1, 1], &[1, 2, 3], &[100, 1, 100, 50])] weights: &[u32],
) {
    let now = Instant::now();
    let found = counts(&pool(weights, None, now), &wish(&algorithm, now), 20_000);
    let weights: Vec<_> = weights.iter().map(|weight| f64::from(*weight)).collect();
    assert!(fits(&found, &weights), "{found:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn round_robin_is_exact(weights in prop::collection::vec(1_u32..20, 1..20), times in 1_u32..100, turn: u64) {
        let now = Instant::now();
        let scaled: Vec<_> = weights.iter().map(|weight| weight * times).collect();
        let pool = pool(&scaled, None, now);
        // Far from where numbers end, so that the cycle is whole.
        pool.turn.store(turn / 2, Ordering::Relaxed);
        let cycle = pool.sum() as usize;
        let found = counts(&pool, &wish(&Algorithm::RoundRobin, now), cycle);
        let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        for (found, weight) in found.iter().zip(&weights) {
            prop_assert_eq!(found * sum, u64::from(*weight) * cycle as u64);
        }
    }

    #[test]
    fn who_was_tried_is_not_chosen(
        count in 1_u8..8,
        tried in prop::collection::btree_set(0_u8..8, 0..8),
        algorithm in 0..3,
    ) {
        let now = Instant::now();
        let pool = pool(&vec![1; usize::from(count)], None, now);
        let tried: Vec<_> = tried.iter().map(|n| compiled(&form(*n), now)).collect();
        let algorithm = match algorithm {
            0 => Algorithm::Random,
            1 => Algorithm::RoundRobin,
            _ => Algorithm::LeastRequest(2),
        };
        let wish = Wish { tried: &tried, ..wish(&algorithm, now) };
        let others = pool.endpoints.iter().any(|endpoint| !wish.was_tried(endpoint));
        let mut random = seeded();
        for _ in 0..20 {
            let chosen = pool.choose(&wish, &mut random).unwrap();
            prop_assert!(!others || !wish.was_tried(chosen));
        }
    }
}

#[test]
fn round_robin_takes_turns() {
    let now = Instant::now();
    let (pool, wish, mut random) = (pool(&[5, 1, 1], None, now), Algorithm::RoundRobin, seeded());
    let wish = self::wish(&wish, now);
    let turns: Vec<_> = (0..70).map(|_| number(pool.choose(&wish, &mut random).unwrap())).collect();
    let longest = turns.chunk_by(|a, b| a == b).map(<[u8]>::len).max();
    assert!(longest <= Some(4), "{turns:?}");
}

#[test]
fn the_busy_are_left_alone() {
    let now = Instant::now();
    let (pool, algorithm) = (pool(&[1, 1], None, now), Algorithm::LeastRequest(2));
    pool.endpoints[0].known.active.store(1, Ordering::Relaxed);
    let found = counts(&pool, &wish(&algorithm, now), 1000);
    // Only where the other is not drawn in so many looks.
    assert!(found[0] < 50, "{found:?}");
}

#[test]
fn load_is_by_weight() {
    let now = Instant::now();
    let (pool, algorithm, mut random) = (pool(&[1, 3], None, now), Algorithm::LeastRequest(2), seeded());
    for _ in 0..400 {
        let chosen = pool.choose(&wish(&algorithm, now), &mut random).unwrap();
        chosen.known.active.fetch_add(1, Ordering::Relaxed);
    }
    let active: Vec<_> = pool.endpoints.iter().map(|endpoint| endpoint.active()).collect();
    assert!((95..=105).contains(&active[0]), "{active:?}");
}

#[test]
fn two_choices_level_the_load() {
    let now = Instant::now();
    let spread = |algorithm: &Algorithm| {
        let (pool, mut random) = (pool(&[1; 50], None, now), seeded());
        for _ in 0..5000 {
            let chosen = pool.choose(&wish(algorithm, now), &mut random).unwrap();
            chosen.known.active.fetch_add(1, Ordering::Relaxed);
        }
        let active = || pool.endpoints.iter().map(|endpoint| endpoint.active());
        active().max().unwrap() - active().min().unwrap()
    };
    let (random, two) = (spread(&Algorithm::Random), spread(&Algorithm::LeastRequest(2)));
    assert!(two <= 8 && random > 25, "{two} and {random}");
}

#[rstest]
#[case::random(Algorithm::Random)]
#[case::least_request(Algorithm::LeastRequest(2))]
fn the_new_get_less(#[case] algorithm: Algorithm) {
    let start = Instant::now();
    let duration = Some(prost_types::Duration { seconds: 100, nanos: 0 });
    let warmup = Warmup::compile(&l7::Warmup { duration, ..Default::default() }).unwrap();
    let at = |seconds| start + Duration::from_secs(seconds);
    let endpoints = vec![compiled(&form(0), start), compiled(&form(1), at(1000))];
    let pool = Pool::new(endpoints, 2, None, 0);
    for (now, share) in [(1000, 0.1), (1050, 0.5), (1100, 1.0)] {
        let wish = Wish { warmup: warmup.as_ref(), ..wish(&algorithm, at(now)) };
        let found = counts(&pool, &wish, 10_000);
        assert!(fits(&found, &[1.0, share]), "{found:?} after {now} s");
    }
    // The first of all are equally cold, and bear the load alone.
    let wish = Wish { warmup: warmup.as_ref(), ..wish(&algorithm, start) };
    let cold = Pool::new((0..3).map(|n| compiled(&form(n), start)).collect(), 3, None, 0);
    assert!(fits(&counts(&cold, &wish, 10_000), &[1.0; 3]));
}

#[rstest]
#[case::ring(Table::Ring(1024))]
#[case::maglev(Table::Maglev(251))]
fn a_hash_stays(#[case] table: Table) {
    let now = Instant::now();
    let pool = pool(&[1; 5], Some(table), now);
    let mut random = seeded();
    for n in 0..50_u64 {
        let hash = Some(n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let wish = Wish { hash, ..wish(&Algorithm::Random, now) };
        let chosen = Arc::clone(pool.choose(&wish, &mut random).unwrap());
        // Also for another try.
        let again = Wish { tried: std::slice::from_ref(&chosen), ..wish };
        assert_eq!(pool.choose(&again, &mut random).unwrap().key(), chosen.key());
    }
}

#[test]
fn nobody_is_chosen_among_none() {
    let now = Instant::now();
    for table in [None, Some(Table::Ring(16)), Some(Table::Maglev(7))] {
        let wish = Wish { hash: Some(1), ..wish(&Algorithm::RoundRobin, now) };
        assert!(pool(&[], table, now).choose(&wish, &mut seeded()).is_none());
    }
}
