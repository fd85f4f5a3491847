//! What is said about a number that was measured several times.

use serde::Serialize;

/// The middle of several measurements, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Summary {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Summary {
    /// `None` if nothing was measured. Of an even number, the median is the mean of the middle two.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            (sorted[middle - 1] + sorted[middle]) / 2.0
        } else {
            sorted[middle]
        };
        Some(Self { median, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let cases: [(&[f64], Option<[f64; 3]>); 4] = [
            (&[], None),
            (&[2.0], Some([2.0, 2.0, 2.0])),
            (&[9.0, 1.0, 2.0], Some([2.0, 1.0, 9.0])),
            (&[4.0, 1.0, 2.0, 3.0], Some([2.5, 1.0, 4.0])),
        ];
        for (values, want) in cases {
            let got = Summary::of(values).map(|summary| [summary.median, summary.min, summary.max]);
            assert_eq!(got, want, "{values:?}");
        }
    }
}
