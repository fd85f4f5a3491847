//! What came of it.

use std::fmt;

use serde_json::Value;

use crate::Footprint;

/// What the readers saw, and what the processes have kept.
#[derive(Clone, Debug)]
pub struct FireReport {
    /// Changes that were written.
    pub changes: usize,
    /// Requests that were made.
    pub asked: u64,
    /// What was not an answer of reviews, with how often.
    pub failures: Vec<(String, u64)>,
    /// From the file's change to the first answer that shows it or a later one, milliseconds, sorted.
    pub propagation_ms: Vec<f64>,
    /// The longest request, milliseconds.
    pub longest_ms: u64,
    /// Of each process.
    pub growth: Vec<Growth>,
}

/// What a process held before and after.
#[derive(Clone, Debug)]
pub struct Growth {
    /// Which process.
    pub name: String,
    /// After the warm-up.
    pub before: Footprint,
    /// At the end.
    pub after: Footprint,
}

impl Growth {
    pub(super) fn between(before: &[(String, Footprint)], after: &[(String, Footprint)]) -> Vec<Self> {
        let pair = |((name, before), (_, after)): (&(String, Footprint), &(String, Footprint))| Growth {
            name: name.clone(),
            before: *before,
            after: *after,
        };
        before.iter().zip(after).map(pair).collect()
    }

    /// Memory that it has more, KiB.
    #[must_use]
    pub fn memory_kib(&self) -> u64 {
        self.after.rss_kib.saturating_sub(self.before.rss_kib)
    }

    /// Descriptors that it has more.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.after.descriptors.saturating_sub(self.before.descriptors)
    }
}

impl FireReport {
    pub(super) fn new(written: &[(u32, u64)], seen: &[Value], growth: Vec<Growth>) -> Self {
        let mut report = Self {
            changes: written.len(),
            asked: seen.iter().filter_map(|seen| seen["asked"].as_u64()).sum(),
            failures: Vec::new(),
            propagation_ms: propagation(written, seen),
            longest_ms: seen.iter().filter_map(|seen| seen["longest_ms"].as_u64()).max().unwrap_or(0),
            growth,
        };
        for (what, count) in seen.iter().flat_map(|seen| counts(&seen["answers"])) {
            if !["200 v1", "200 v2", "200 v3"].contains(&what.as_str()) {
                report.failures.push((what, count));
            }
        }
        report.failures.extend(seen.iter().flat_map(|seen| counts(&seen["failures"])));
        report
    }

    /// The time within which so much of the changes was in force, milliseconds.
    #[must_use]
    pub fn percentile(&self, share: f64) -> f64 {
        let last = self.propagation_ms.len().saturating_sub(1);
        self.propagation_ms.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for FireReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed: u64 = self.failures.iter().map(|(_, count)| count).sum();
        writeln!(f, "{} changes, {} requests, {failed} failed", self.changes, self.asked)?;
        for (what, count) in &self.failures {
            writeln!(f, "  {count} times: {what}")?;
        }
        let of = |share| self.percentile(share);
        let (p50, p99, last) = (of(0.5), of(0.99), of(1.0));
        writeln!(f, "propagation: p50 {p50:.0} ms, p99 {p99:.0} ms, longest {last:.0} ms")?;
        writeln!(f, "longest request: {} ms", self.longest_ms)?;
        for growth in &self.growth {
            let (before, after) = (growth.before, growth.after);
            writeln!(
                f,
                "{}: {} KiB, then {} KiB; {} descriptors, then {}",
                growth.name, before.rss_kib, after.rss_kib, before.descriptors, after.descriptors
            )?;
        }
        Ok(())
    }
}

/// For each change the time until it, or one after it, was seen first.
fn propagation(written: &[(u32, u64)], seen: &[Value]) -> Vec<f64> {
    let mut first: Vec<(u32, u64)> = seen
        .iter()
        .flat_map(|seen| counts(&seen["revisions"]))
        .filter_map(|(revision, at)| Some((revision.parse().ok()?, at)))
        .collect();
    first.sort_unstable();
    let mut times: Vec<f64> = written
        .iter()
        .filter_map(|(revision, at)| {
            let later = first.iter().filter(|(seen, _)| seen >= revision).map(|(_, seen)| *seen);
            Some(later.min()?.saturating_sub(*at) as f64 / 1000.0)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

fn counts(object: &Value) -> Vec<(String, u64)> {
    let pairs = object.as_object().into_iter().flatten();
    pairs.filter_map(|(name, count)| Some((name.clone(), count.as_u64()?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_that_was_overtaken_is_seen_with_the_next() {
        let seen = [json!({"revisions": {"1": 1500, "3": 9000}})];
        assert_eq!(propagation(&[(1, 1000), (2, 3000), (3, 4000)], &seen), [0.5, 5.0, 6.0]);
    }

    #[test]
    fn what_is_no_answer_of_reviews_has_failed() {
        let seen = [json!({"asked": 4, "answers": {"200 v1": 2, "503": 1}, "failures": {"late": 1}})];
        let report = FireReport::new(&[], &seen, Vec::new());
        assert_eq!(report.failures, [("503".to_owned(), 1), ("late".to_owned(), 1)]);
    }
}
