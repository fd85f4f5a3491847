//! A text that lies in parts: an identity is compared as it would be written, without being written.

use std::cmp::Ordering;

/// How `text` compares with the parts put together, as `str` does.
pub(super) fn compare(text: &str, parts: &[&str]) -> Ordering {
    let mut rest = text.as_bytes();
    for part in parts {
        let common = rest.len().min(part.len());
        let order = rest[..common].cmp(&part.as_bytes()[..common]);
        if order.is_ne() {
            return order;
        }
        if common < part.len() {
            return Ordering::Less;
        }
        rest = &rest[common..];
    }
    if rest.is_empty() { Ordering::Equal } else { Ordering::Greater }
}

/// Whether the parts put together begin with `prefix`.
pub(super) fn starts_with(parts: &[&str], prefix: &str) -> bool {
    let mut rest = prefix.as_bytes();
    for part in parts.iter().map(|part| part.as_bytes()) {
        if rest.len() <= part.len() {
            return part.starts_with(rest);
        }
        match rest.strip_prefix(part) {
            Some(longer) => rest = longer,
            None => return false,
        }
    }
    rest.is_empty()
}

/// Whether the parts put together end with `suffix`.
pub(super) fn ends_with(parts: &[&str], suffix: &str) -> bool {
    let mut rest = suffix.as_bytes();
    for part in parts.iter().rev().map(|part| part.as_bytes()) {
        if rest.len() <= part.len() {
            return part.ends_with(rest);
        }
        match rest.strip_suffix(part) {
            Some(longer) => rest = longer,
            None => return false,
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_what_the_whole_text_says(
            parts in proptest::collection::vec("[ab/é]{0,3}", 0..5),
            other in "[ab/é]{0,6}",
            cut in 0..8_usize,
        ) {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            let whole = parts.concat();
            // A random text is rarely a piece of the whole.
            let head: String = whole.chars().take(cut).collect();
            let tail: String = whole.chars().skip(cut).collect();
            for text in [&other, &head, &tail, &whole] {
                prop_assert_eq!(compare(text, &parts), text.cmp(&whole), "{:?} {:?}", text, parts);
                prop_assert_eq!(starts_with(&parts, text), whole.starts_with(&**text));
                prop_assert_eq!(ends_with(&parts, text), whole.ends_with(&**text));
            }
        }
    }
}
