//! How much of the load each priority level gets, by its health (Envoy's documented rules).
//!
//! A level can bear 1.4 times the share that its healthy endpoints have of it. What one level cannot bear goes to the next.

/// How many endpoints a level has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) healthy: usize,
    pub(super) all: usize,
}

/// What a level gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// Of the load; of all levels 100 together, or 0 if nobody is healthy.
    pub(super) percent: u32,
    /// So few are healthy that health is not looked at.
    pub(super) panic: bool,
}

impl Health {
    /// What the level can bear, in percent: something, if anybody is healthy.
    pub(super) fn capacity(self) -> u32 {
        match self.healthy {
            0 => 0,
            healthy => (OVERPROVISIONED * healthy as u64 / self.all as u64).clamp(1, 100) as u32,
        }
    }

    fn is_below(self, threshold: u32) -> bool {
        (self.healthy as u64) * 100 < u64::from(threshold) * self.all as u64
    }
}

/// The shares of levels in order; with fewer than `threshold` percent healthy, a level panics, unless all levels together
/// can bear the load.
pub(super) fn shares(levels: &[Health], threshold: u32) -> Vec<Share> {
    let capacities: Vec<_> = levels.iter().map(|level| level.capacity()).collect();
    let sum: u32 = capacities.iter().sum();
    if sum >= 100 {
        return in_order(&capacities);
    }
    let all: u64 = levels.iter().map(|level| level.all as u64).sum();
    let weights: Vec<u64> = match sum {
        0 if threshold == 0 || all == 0 => return vec![Share::default(); levels.len()],
        // Nobody is healthy: everybody gets a share.
        0 => levels.iter().map(|level| level.all as u64).collect(),
        _ => capacities.into_iter().map(u64::from).collect(),
    };
    let percents = normalised(&weights);
    let share = |(level, percent): (&Health, u32)| Share { percent, panic: level.is_below(threshold) };
    levels.iter().zip(percents).map(share).collect()
}

fn in_order(capacities: &[u32]) -> Vec<Share> {
    let mut left = 100;
    let mut share = |capacity: &u32| {
        let percent = left.min(*capacity);
        left -= percent;
        Share { percent, panic: false }
    };
    capacities.iter().map(&mut share).collect()
}

/// Percentages in proportion to weights; what rounding leaves goes to the first with a weight.
fn normalised(weights: &[u64]) -> Vec<u32> {
    let sum: u64 = weights.iter().sum::<u64>().max(1);
    let mut percents: Vec<_> = weights.iter().map(|weight| (weight * 100 / sum) as u32).collect();
    let left = 100_u32.saturating_sub(percents.iter().sum());
    if let Some(first) = weights.iter().position(|weight| *weight > 0) {
        percents[first] += left;
    }
    percents
}

/// Percent of what the healthy endpoints are of a level.
const OVERPROVISIONED: u64 = 140;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// Healthy percentages of levels with 100 endpoints each; the first rows are those of Envoy's documentation.
    #[rstest]
    #[case(&[100], 0, &[(100, false)])]
    #[case(&[72, 72], 50, &[(100, false), (0, false)])]
    #[case(&[71, 71], 50, &[(99, false), (1, false)])]
    #[case(&[50, 50], 50, &[(70, false), (30, false)])]
    #[case(&[25, 100], 50, &[(35, false), (65, false)])]
    #[case(&[25, 25], 50, &[(50, true), (50, true)])]
    #[case(&[25, 0, 10], 50, &[(72, true), (0, true), (28, true)])]
    #[case(&[0, 100], 50, &[(0, false), (100, false)])]
    #[case(&[0, 0], 0, &[(0, false), (0, false)])]
    #[case(&[0, 0], 1, &[(50, true), (50, true)])]
    #[case(&[5, 0], 0, &[(100, false), (0, false)])]
    fn share(#[case] healthy: &[usize], #[case] threshold: u32, #[case] expected: &[(u32, bool)]) {
        let levels: Vec<_> = healthy.iter().map(|healthy| Health { healthy: *healthy, all: 100 }).collect();
        let found: Vec<_> =
            shares(&levels, threshold).into_iter().map(|share| (share.percent, share.panic)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn one_in_a_thousand_serves() {
        let share = Share { percent: 100, panic: false };
        assert_eq!(shares(&[Health { healthy: 1, all: 1000 }], 0), [share]);
    }

    proptest! {
        #[test]
        fn all_of_the_load_goes_somewhere(
            levels in prop::collection::vec((0_usize..9).prop_flat_map(|all| (0..=all, Just(all))), 0..5),
            threshold in 0_u32..=100,
        ) {
            let levels: Vec<_> = levels.into_iter().map(|(healthy, all)| Health { healthy, all }).collect();
            let shares = shares(&levels, threshold);
            let sum: u32 = shares.iter().map(|share| share.percent).sum();
            let anybody = levels.iter().any(|level| level.healthy > 0 || (threshold > 0 && level.all > 0));
            prop_assert_eq!(sum, if anybody { 100 } else { 0 });
            for (level, share) in levels.iter().zip(shares) {
                let served = level.healthy > 0 || (share.panic && level.all > 0);
                prop_assert!(share.percent == 0 || served, "load for nobody");
            }
        }
    }
}
