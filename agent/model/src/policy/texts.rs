//! A set of texts and patterns of texts.

use serde::{Serialize, Serializer};

use super::text;

/// A text or a pattern of texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum StringMatch {
    /// This text.
    Exact(Box<str>),
    /// Texts that begin so.
    Prefix(Box<str>),
    /// Texts that end so.
    Suffix(Box<str>),
    /// Any text that is not empty.
    Presence,
}

/// A set of texts and patterns. Asking it for an exact text costs a binary search, however many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// Sorted.
    exact: Box<[Box<str>]>,
    /// Sorted; never [`StringMatch::Exact`].
    patterns: Box<[StringMatch]>,
}

impl Texts {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.patterns.is_empty()
    }

    /// Whether the text that the parts make, put together, is in it.
    pub fn contains(&self, parts: &[&str]) -> bool {
        self.exact.binary_search_by(|exact| text::compare(exact, parts)).is_ok()
            || self.patterns.iter().any(|pattern| pattern.matches(parts))
    }

    /// What is in it, the exact texts first.
    pub fn iter(&self) -> impl Iterator<Item = StringMatch> {
        let exact = self.exact.iter().cloned().map(StringMatch::Exact);
        exact.chain(self.patterns.iter().cloned())
    }
}

impl FromIterator<StringMatch> for Texts {
    fn from_iter<I: IntoIterator<Item = StringMatch>>(matches: I) -> Self {
        let (mut exact, mut patterns) = (Vec::new(), Vec::new());
        for one in matches {
            match one {
                StringMatch::Exact(text) => exact.push(text),
                pattern => patterns.push(pattern),
            }
        }
        exact.sort_unstable();
        exact.dedup();
        patterns.sort_unstable();
        patterns.dedup();
        Self { exact: exact.into(), patterns: patterns.into() }
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl StringMatch {
    fn matches(&self, parts: &[&str]) -> bool {
        match self {
            Self::Exact(exact) => text::compare(exact, parts).is_eq(),
            Self::Prefix(prefix) => text::starts_with(parts, prefix),
            Self::Suffix(suffix) => text::ends_with(parts, suffix),
            Self::Presence => parts.iter().any(|part| !part.is_empty()),
        }
    }
}
