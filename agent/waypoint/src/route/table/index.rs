//! Which entries of a table may hold for a request.
//!
//! An entry is found by its path: exact paths by a hash, prefixes (and the literal beginnings of regular expressions) in a
//! trie, the rest at the trie's root. Entries at one place in it that ask for the exact value of something else are found
//! by a hash of that value.

use std::{borrow::Cow, collections::HashMap};

use http::HeaderName;
use regex_syntax::{
    ParserBuilder,
    hir::literal::{Extractor, Seq},
};

use super::{super::pattern::translate, trie::Trie};
use crate::route::{
    predicate::{PathPredicate, Predicate, parameter},
    request::RequestHead,
    text::Case,
};

/// Places of entries by what they ask for.
#[derive(Debug, Default)]
pub(super) struct Index {
    heeded: Paths,
    /// Of lower case paths.
    ignored: Paths,
}

#[derive(Debug, Default)]
struct Paths {
    exact: HashMap<Box<[u8]>, Bucket>,
    prefixes: Trie<Bucket>,
}

/// Entries whose path is of one kind; each list is in order.
#[derive(Debug, Default)]
struct Bucket {
    plain: Places,
    by_value: Vec<(Facet, ByValue)>,
}

/// Places in order; one, which is most often all, needs no memory of its own.
#[derive(Debug, Default)]
enum Places {
    #[default]
    None,
    One(u32),
    Several(Vec<u32>),
}

type ByValue = HashMap<Box<[u8]>, Vec<u32>>;

/// What an entry wants an exact value of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Facet {
    Header(HeaderName),
    Query(Box<str>),
    Authority,
}

impl Index {
    /// Of predicates in the order of their places.
    pub(super) fn new<'p>(predicates: impl Iterator<Item = &'p Predicate>) -> Index {
        let mut index = Index::default();
        for (place, predicate) in (0..).zip(predicates) {
            index.insert(place, predicate);
        }
        index
    }

    /// Calls for each list of entries that may hold. None that holds is in no list.
    pub(super) fn propose<'i>(&'i self, request: &RequestHead<'_>, mut visit: impl FnMut(&'i [u32])) {
        self.heeded.propose(request.path.as_bytes(), request, &mut visit);
        if !self.ignored.is_empty() {
            self.ignored.propose(&request.path.to_ascii_lowercase().into_bytes(), request, &mut visit);
        }
    }

    fn insert(&mut self, place: u32, predicate: &Predicate) {
        let mut prefix =
            |text: &[u8], case| self.paths(case).prefixes.entry(&folded(text, case)).insert(place, predicate);
        match &predicate.path {
            None => prefix(b"", Case::Heeded),
            Some(PathPredicate::Prefix(text, case) | PathPredicate::Segments(text, case)) => {
                prefix(text.as_bytes(), *case);
            }
            Some(PathPredicate::Regex(_, text)) => {
                for beginning in beginnings(text) {
                    prefix(&beginning, Case::Heeded);
                }
            }
            Some(PathPredicate::Exact(text, case)) => {
                let key = folded(text.as_bytes(), *case).into();
                self.paths(*case).exact.entry(key).or_default().insert(place, predicate);
            }
        }
    }

    fn paths(&mut self, case: Case) -> &mut Paths {
        match case {
            Case::Heeded => &mut self.heeded,
            Case::Ignored => &mut self.ignored,
        }
    }
}

impl Paths {
    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.prefixes.is_empty()
    }

    fn propose<'i>(&'i self, path: &[u8], request: &RequestHead<'_>, visit: &mut impl FnMut(&'i [u32])) {
        if let Some(bucket) = self.exact.get(path) {
            bucket.propose(request, visit);
        }
        self.prefixes.walk(path, |bucket| bucket.propose(request, visit));
    }
}

impl Bucket {
    fn insert(&mut self, place: u32, predicate: &Predicate) {
        let Some((facet, value)) = Facet::of(predicate) else {
            self.plain.push(place);
            return;
        };
        let at = self.by_value.iter().position(|(known, _)| *known == facet).unwrap_or_else(|| {
            self.by_value.push((facet, ByValue::new()));
            self.by_value.len() - 1
        });
        self.by_value[at].1.entry(value.into()).or_default().push(place);
    }

    fn propose<'i>(&'i self, request: &RequestHead<'_>, visit: &mut impl FnMut(&'i [u32])) {
        visit(self.plain.as_slice());
        for (facet, lists) in &self.by_value {
            if let Some(list) = facet.value(request).and_then(|value| lists.get(value.as_ref())) {
                visit(list);
            }
        }
    }
}

impl Places {
    fn push(&mut self, place: u32) {
        match self {
            Self::None => *self = Self::One(place),
            Self::One(first) => *self = Self::Several(vec![*first, place]),
            Self::Several(places) => places.push(place),
        }
    }

    fn as_slice(&self) -> &[u32] {
        match self {
            Self::None => &[],
            Self::One(place) => std::slice::from_ref(place),
            Self::Several(places) => places,
        }
    }
}

impl Facet {
    /// A thing that a predicate wants one value of, and the value.
    fn of(predicate: &Predicate) -> Option<(Facet, &[u8])> {
        let more = predicate.more.as_deref()?;
        let header = || {
            let mut wanted = more.headers.iter().filter(|header| !header.invert);
            wanted.find_map(|header| Some((Facet::Header(header.name.clone()), header.value.only()?)))
        };
        let query = || {
            let mut wanted = more.query.iter();
            wanted.find_map(|query| Some((Facet::Query(query.name.clone()), query.value.only()?)))
        };
        let authority = || Some((Facet::Authority, more.authority.as_ref()?.only()?));
        header().or_else(query).or_else(authority)
    }

    fn value<'r>(&self, request: &RequestHead<'r>) -> Option<Cow<'r, [u8]>> {
        match self {
            Facet::Header(name) => request.header(name),
            Facet::Query(name) => parameter(request.query, name),
            Facet::Authority => Some(Cow::Borrowed(request.authority.as_bytes())),
        }
    }
}

/// Literals of which each text that matches begins with one; the empty one if nothing better is known.
fn beginnings(pattern: &str) -> Vec<Vec<u8>> {
    let anything = vec![Vec::new()];
    let Ok(translated) = translate(pattern) else { return anything };
    let Ok(tree) = ParserBuilder::new().utf8(false).build().parse(&translated) else { return anything };
    let mut literals = Extractor::new().extract(&tree);
    if literals.min_literal_len().is_none_or(|length| length == 0) || literals.len() > Some(MOST_BEGINNINGS) {
        literals = Seq::singleton(regex_syntax::hir::literal::Literal::inexact(""));
    }
    literals.dedup();
    let bytes = |literals: &[regex_syntax::hir::literal::Literal]| {
        literals.iter().map(|literal| literal.as_bytes().to_vec()).collect()
    };
    literals.literals().map_or(anything, bytes)
}

fn folded(text: &[u8], case: Case) -> Cow<'_, [u8]> {
    match case {
        Case::Heeded => Cow::Borrowed(text),
        Case::Ignored => Cow::Owned(text.to_ascii_lowercase()),
    }
}

/// An expression with more is at the root: it would be in too many places.
const MOST_BEGINNINGS: usize = 32;
