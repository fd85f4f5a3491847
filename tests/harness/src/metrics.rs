//! Reading a Prometheus text answer.

use std::collections::BTreeMap;

/// All samples of one scrape.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

impl Metrics {
    /// Reads the exposition text; lines that are not samples are skipped.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { samples: text.lines().filter_map(sample).collect() }
    }

    /// Sum of all samples named `name` whose labels include `labels`; `None` when there is none.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.samples.iter().filter(|(sample, has, _)| {
            sample == name && labels.iter().all(|(key, value)| has.get(*key).is_some_and(|v| v == value))
        });
        let first = found.next()?.2;
        Some(found.fold(first, |sum, (_, _, value)| sum + value))
    }

    /// Names that were scraped, without repetition.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.samples.iter().map(|(name, ..)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn sample(line: &str) -> Option<(String, BTreeMap<String, String>, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (head, value) = match line.rfind('}') {
        Some(end) => (&line[..end], line[end + 1..].split_whitespace().next()?),
        None => line.split_once(' ')?,
    };
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    Some((name.to_owned(), pairs(labels), value.trim().parse().ok()?))
}

/// `a="b",c="d"`; the values that Weir writes hold no escaped quotes.
fn pairs(text: &str) -> BTreeMap<String, String> {
    text.split("\",")
        .filter_map(|pair| pair.split_once("=\""))
        .map(|(key, value)| (key.to_owned(), value.trim_end_matches('"').to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn sums_by_name_and_label() {
        let text = "# HELP x y\nx_total{a=\"1\",b=\"p,q\"} 2\nx_total{a=\"2\",b=\"r\"} 3\nup 1\n# EOF\n";
        let metrics = Metrics::parse(text);
        assert_eq!(metrics.sum("x_total", &[]), Some(5.0));
        assert_eq!(metrics.sum("x_total", &[("b", "p,q")]), Some(2.0));
        assert_eq!(metrics.sum("x_total", &[("a", "9")]), None);
        assert_eq!(metrics.sum("up", &[]), Some(1.0));
        assert_eq!(metrics.names(), ["up", "x_total"]);
    }
}
