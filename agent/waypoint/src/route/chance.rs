//! Events that happen to some of a million requests.

use super::rejection::{Reason, Rejection};

/// A probability in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chance(u32);

impl Chance {
    /// Compiles the form's number, at most a million.
    pub fn per_million(value: u32) -> Result<Chance, Rejection> {
        if value > MILLION {
            let expected = "at most a million";
            return Err(Reason::OutOfRange { value: value.into(), expected }.into());
        }
        Ok(Chance(value))
    }

    /// Whether it happens this time, by a uniformly random number.
    pub fn happens(self, random: u64) -> bool {
        below(random, MILLION.into()) < self.0.into()
    }
}

/// A random number as one below `bound`; 0 if that is 0. Its bias is below 2^-32 for bounds of 32 bits.
pub(crate) fn below(random: u64, bound: u64) -> u64 {
    // The product's upper half is less than `bound`.
    ((u128::from(random) * u128::from(bound)) >> 64) as u64
}

const MILLION: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::never(0, 0, false)]
    #[case::never_at_all(0, u64::MAX, false)]
    #[case::always(1_000_000, u64::MAX, true)]
    #[case::half_lower(500_000, u64::MAX / 2, true)]
    #[case::half_upper(500_000, u64::MAX / 2 + 2, false)]
    #[case::rare(1, u64::MAX / 1_000_001, true)]
    #[case::rare_but_not_now(1, u64::MAX / 999_999, false)]
    fn happens(#[case] per_million: u32, #[case] random: u64, #[case] expected: bool) {
        assert_eq!(Chance::per_million(per_million).unwrap().happens(random), expected);
    }

    #[test]
    fn more_than_always_is_refused() {
        assert!(Chance::per_million(1_000_001).is_err());
    }
}
