//! Which match is tried first.

use std::cmp::{Ordering, Reverse};

use weir_proto::l7;
use weir_resources::Meta;

use crate::object::by_age;

/// How much a match says, the most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank([usize; 5]);

impl Rank {
    /// `class`: 2 exact, 1 expression, 0 prefix.
    pub(super) fn http(class: u8, length: usize, has_method: bool, headers: usize, query: usize) -> Self {
        // Of two exact paths that match one request none is longer.
        Self([class.into(), length, has_method.into(), headers, query])
    }

    pub(super) fn grpc(service: usize, method: usize, headers: usize) -> Self {
        Self([service, method, headers, 0, 0])
    }
}

/// A match with the rule that it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(super) rank: Rank,
    pub(super) meta: Meta,
    /// Rule and match.
    pub(super) place: (usize, usize),
    pub(super) form: l7::Match,
    pub(super) rule: l7::Rule,
}

/// Rules in order of precedence: by what the match says, then the oldest route, then its namespace and name, then as they
/// are written. Matches of one rule that follow each other stay together.
pub(crate) fn merge(mut entries: Vec<Entry>) -> Vec<l7::Rule> {
    entries.sort_by(order);
    let mut rules: Vec<l7::Rule> = Vec::new();
    let mut last: Option<(Meta, usize)> = None;
    for Entry { meta, place, form, rule, .. } in entries {
        let of = Some((meta, place.0));
        match rules.last_mut() {
            Some(rule) if last == of => rule.matches.push(form),
            _ => rules.push(l7::Rule { matches: vec![form], ..rule }),
        }
        last = of;
    }
    rules
}

fn order(a: &Entry, b: &Entry) -> Ordering {
    let by_rank = Reverse(a.rank).cmp(&Reverse(b.rank));
    by_rank.then_with(|| by_age(&a.meta, &b.meta)).then_with(|| a.place.cmp(&b.place))
}
