use proptest::prelude::*;
use rand::SeedableRng as _;
use rstest::rstest;

use super::*;

#[rstest]
#[case::none(&[], &[None])]
#[case::no_weight(&[0, 0], &[None, None])]
#[case::one(&[5], &[Some(0), Some(0), Some(0)])]
#[case::zero_first(&[0, 1], &[Some(1), Some(1)])]
#[case::zero_last(&[1, 0], &[Some(0), Some(0)])]
#[case::zero_between(&[1, 0, 1], &[Some(0), Some(2)])]
#[case::quarters(&[1, 3], &[Some(0), Some(1), Some(1), Some(1)])]
#[case::beyond_32_bits(&[u32::MAX, u32::MAX, u32::MAX], &[Some(0), Some(1), Some(2)])]
fn pick(#[case] weights: &[u32], #[case] expected: &[Option<usize>]) {
    let weighted = Weighted::new(weights.iter().copied().zip(0..));
    let steps = expected.len() as u64;
    for (n, expected) in (0..).zip(expected) {
        // The middle of each part of the numbers.
        let random = u64::MAX / steps * n + u64::MAX / steps / 2;
        assert_eq!(weighted.pick(random).copied(), *expected, "of {n}");
    }
    assert_eq!(weighted.pick(u64::MAX).copied(), *expected.last().unwrap());
}

#[test]
fn shares_follow_weights() {
    let mut random = rand::rngs::StdRng::seed_from_u64(4);
    let weighted = Weighted::new([(90, 0), (0, 1), (9, 2), (1, 3)]);
    let mut counts = [0_u32; 4];
    (0..100_000).for_each(|_| counts[*weighted.pick(random.next_u64()).unwrap()] += 1);
    // Pearson's test for three that have a share, at a level of one in a thousand.
    let expected = [(0, 90_000.0), (2, 9_000.0), (3, 1_000.0)];
    let square: f64 = expected.iter().map(|(n, share)| (f64::from(counts[*n]) - share).powi(2) / share).sum();
    assert!(square < 13.82 && counts[1] == 0, "{counts:?}");
}

proptest! {
    #[test]
    fn what_has_no_weight_is_never_chosen(
        weights in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u32>()], 0..20),
        random: u64,
    ) {
        let weighted = Weighted::new(weights.iter().copied().zip(0_usize..));
        match weighted.pick(random) {
            Some(chosen) => prop_assert!(weights[*chosen] > 0),
            None => prop_assert!(weights.iter().all(|weight| *weight == 0)),
        }
    }
}

#[rstest]
#[case::no_target(l7::WeightedBackend::default(), "")]
#[case::no_port(to(0), "backend.port")]
#[case::not_a_port(to(65536), "backend.port")]
#[case::no_status(
    l7::WeightedBackend {
        target: Some(l7::weighted_backend::Target::Unavailable(l7::Unavailable::default())),
        ..Default::default()
    },
    "unavailable.status"
)]
fn is_refused(#[case] form: l7::WeightedBackend, #[case] path: &str) {
    assert_eq!(Backend::compile(&form).unwrap_err().path, path);
}

fn to(port: u32) -> l7::WeightedBackend {
    let backend = l7::BackendRef { port, ..Default::default() };
    let target = Some(l7::weighted_backend::Target::Backend(backend));
    l7::WeightedBackend { target, ..Default::default() }
}
