//! An ordered list of rules as a table: the first match wins, and rules that have nothing to do with a request cost it
//! nothing.
//!
//! Each match of each rule is an entry with its place in the order. The [index](index::Index) proposes entries that may hold
//! for a request, in a few lists that are each in order; of each list the first entry that does hold counts, and of those
//! the first in the whole order. What the index proposes is still looked at in full: it can only save time, not decide.

mod index;
mod trie;

use std::sync::Arc;

use weir_proto::l7;

use self::index::Index;
use super::{
    predicate::{PathMatched, Predicate},
    rejection::{Rejection, Within as _, each},
    request::{RequestHead, SourceView},
    rule::Rule,
};

/// What is to be done with a request.
#[derive(Debug, Clone, Copy)]
pub enum Routed<'f> {
    /// What this rule says.
    Rule(Matched<'f>),
    /// It goes to the service itself: there are no routes for this client.
    Own,
    /// 404: there are routes, and none matches.
    NotFound,
    /// Nobody can tell (yet): the client's labels are asked for, and not known.
    Unknown,
}

/// A rule and how it came to match.
#[derive(Debug, Clone, Copy)]
pub struct Matched<'f> {
    /// To be kept while the request lasts, if need be.
    pub rule: &'f Arc<Rule>,
    /// The match's own name; often empty.
    pub name: &'f str,
    /// For [`Rule::change_request`] and redirects.
    pub path: PathMatched,
}

/// A compiled list of rules.
#[derive(Debug)]
pub(crate) struct Table {
    rules: Vec<Arc<Rule>>,
    entries: Vec<Entry>,
    index: Index,
}

#[derive(Debug)]
struct Entry {
    rule: usize,
    name: Box<str>,
    predicate: Predicate,
}

impl Table {
    pub(crate) fn compile(forms: &[l7::Rule]) -> Result<Table, Rejection> {
        let rules = each("rules", forms, |form| Rule::compile(form).map(Arc::new))?;
        let mut entries = Vec::with_capacity(forms.len());
        for (rule, form) in forms.iter().enumerate() {
            let compile = |form: &l7::Match| {
                Ok(Entry { rule, name: form.name.as_str().into(), predicate: Predicate::compile(form)? })
            };
            let compiled = each("matches", &form.matches, compile);
            entries.extend(compiled.within(&format!("[{rule}]")).within("rules")?);
            if form.matches.is_empty() {
                entries.push(Entry { rule, name: Box::default(), predicate: Predicate::default() });
            }
        }
        let index = Index::new(entries.iter().map(|entry| &entry.predicate));
        Ok(Table { rules, entries, index })
    }

    /// Whether rules look at the labels of clients.
    pub(crate) fn asks_labels(&self) -> bool {
        self.entries.iter().any(|entry| entry.predicate.asks_labels())
    }

    /// The first rule that matches.
    pub(crate) fn find(&self, request: &RequestHead<'_>, source: &SourceView<'_>) -> Option<Matched<'_>> {
        let mut first: Option<(u32, PathMatched)> = None;
        self.index.propose(request, |list| {
            for &place in list {
                if first.is_some_and(|(first, _)| first <= place) {
                    break;
                }
                if let Some(path) = self.entry(place).predicate.holds(request, source) {
                    first = Some((place, path));
                    break;
                }
            }
        });
        let (place, path) = first?;
        let entry = self.entry(place);
        Some(Matched { rule: &self.rules[entry.rule], name: &entry.name, path })
    }

    fn entry(&self, place: u32) -> &Entry {
        &self.entries[place as usize]
    }
}

#[cfg(test)]
mod tests;
