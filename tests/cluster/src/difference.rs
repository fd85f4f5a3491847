//! Whether something is left: two pictures of the same place, line by line.

use std::collections::{BTreeMap, BTreeSet};

/// Lines that came and lines that went, by topic, as `+` and `-`; empty: the same.
#[must_use]
pub fn lines(
    before: &BTreeMap<String, BTreeSet<String>>,
    after: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let none = BTreeSet::new();
    let topics: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut all = Vec::new();
    for topic in topics {
        let (old, new) = (before.get(topic).unwrap_or(&none), after.get(topic).unwrap_or(&none));
        all.extend(old.difference(new).map(|line| format!("- {topic}: {line}")));
        all.extend(new.difference(old).map(|line| format!("+ {topic}: {line}")));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(topics: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
        let lines = |lines: &[&str]| lines.iter().map(ToString::to_string).collect();
        topics.iter().map(|(topic, all)| ((*topic).to_owned(), lines(all))).collect()
    }

    #[test]
    fn what_came_and_what_went_is_named() {
        let before = picture(&[("rules", &["a", "b"]), ("cni", &["x"])]);
        assert_eq!(lines(&before, &before), Vec::<String>::new());
        let after = picture(&[("rules", &["a", "c"]), ("run", &["weir"])]);
        assert_eq!(lines(&before, &after), ["- cni: x", "- rules: b", "+ rules: c", "+ run: weir"]);
    }
}
