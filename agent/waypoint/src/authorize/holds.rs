//! Yes, no, and what cannot be said of a connection that is no request.

use crate::route::TextMatch;

/// In this order "all of them" is the least and "one of them" the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holds {
    No,
    Unknown,
    Yes,
}

impl Holds {
    /// All of them.
    pub(super) fn all(parts: impl IntoIterator<Item = Holds>) -> Holds {
        let mut all = Holds::Yes;
        for part in parts {
            all = all.min(part);
            if all == Holds::No {
                break;
            }
        }
        all
    }

    /// One of a list; an empty list asks nothing.
    pub(super) fn one_of<T>(list: &[T], holds: impl Fn(&T) -> Holds) -> Holds {
        if list.is_empty() { Holds::Yes } else { list.iter().map(holds).max().unwrap_or(Holds::No) }
    }
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        if holds { Holds::Yes } else { Holds::No }
    }
}

/// What one attribute has to be, and what it must not be.
#[derive(Debug)]
pub(super) struct Wanted<T> {
    pub(super) any: Vec<T>,
    pub(super) none: Vec<T>,
}

impl<T> Wanted<T> {
    /// An attribute that is not there is none of `any`, and none of `none` either.
    pub(super) fn holds(&self, matches: impl Fn(&T) -> bool) -> Holds {
        let any = self.any.is_empty() || self.any.iter().any(&matches);
        Holds::from(any && !self.none.iter().any(&matches))
    }

    /// Of a request, if it is one.
    pub(super) fn holds_of(&self, is_request: bool, matches: impl Fn(&T) -> bool) -> Holds {
        match is_request || self.is_empty() {
            true => self.holds(matches),
            false => Holds::Unknown,
        }
    }

    fn is_empty(&self) -> bool {
        self.any.is_empty() && self.none.is_empty()
    }
}

impl Wanted<TextMatch> {
    pub(super) fn holds_text(&self, value: Option<&str>) -> Holds {
        self.holds(|text| value.is_some_and(|value| text.matches(value.as_bytes())))
    }
}
