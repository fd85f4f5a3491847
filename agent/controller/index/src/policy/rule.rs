//! A rule of an AuthorizationPolicy.
//!
//! What cannot be told whether it holds decides differently by what a match means: an ALLOW must not let anybody in on it, so
//! the rule is left out; a DENY must not let anybody pass by it, so it counts as holding.

use serde_json::Value;
use weir_proto::security::{Clause, Match, Rule};

use super::finding::Severity;
use super::path::Path;
use super::read;
use super::term::{Asks, Reader, Term};

/// A rule as it was read: all of its parts must hold.
#[derive(Debug)]
pub(super) struct Parts<A> {
    pub(super) to: Option<Part<A>>,
    pub(super) from: Option<Part<A>>,
    pub(super) when: Vec<Part<A>>,
    unknown: bool,
}

/// One of the terms must hold.
#[derive(Debug)]
pub(super) struct Part<A> {
    pub(super) terms: Vec<Term<A>>,
    unknown: bool,
}

impl<A: Asks> Parts<A> {
    /// Reads a rule.
    pub(super) fn read(reader: &mut Reader<'_>, rule: &Value, path: &Path<'_>) -> Self {
        let mut read = Self { to: None, from: None, when: Vec::new(), unknown: false };
        let Ok(fields) = read::object(rule, path, reader.findings) else {
            return Self { unknown: true, ..read };
        };
        for name in fields.keys().filter(|name| !matches!(name.as_str(), "from" | "to" | "when")) {
            read::unknown_field(&path.field(name), reader.findings);
            read.unknown = true;
        }
        if let Some(to) = fields.get("to") {
            read.to = Some(Part::any_of(reader, to, &path.field("to"), Reader::to));
        }
        if let Some(from) = fields.get("from") {
            read.from = Some(Part::any_of(reader, from, &path.field("from"), Reader::from));
        }
        if let Some(when) = fields.get("when") {
            let path = path.field("when");
            // Each condition must hold, so each is a part of its own; none is nothing to hold.
            match read::list(when, &path, reader.findings) {
                Ok(when) => read.when.extend(when.iter().enumerate().map(|(i, condition)| Part {
                    terms: vec![reader.when(condition, &path.index(i))],
                    unknown: false,
                })),
                Err(_) => read.unknown = true,
            }
        }
        read
    }

    /// What must hold of a rule that allows; `None` if anything in it is unknown.
    pub(super) fn sure(self) -> Option<Self> {
        let unknown = |part: &Part<A>| part.unknown || part.terms.iter().any(|term| term.unknown);
        let parts = self.to.iter().chain(&self.from).chain(&self.when);
        (!self.unknown && !parts.into_iter().any(unknown)).then_some(self)
    }

    /// What must hold of a rule that denies: the parts of which something is known. A part of which one term asks for
    /// nothing that is known always holds; an empty match in its place would never.
    pub(super) fn known(self) -> Self {
        let decides = |part: &Part<A>| !part.unknown && part.terms.iter().all(|term| !term.asks.is_empty());
        Self {
            to: self.to.filter(decides),
            from: self.from.filter(decides),
            when: self.when.into_iter().filter(decides).collect(),
            unknown: false,
        }
    }
}

impl Parts<Match> {
    /// The rule that node proxies get.
    pub(super) fn rule(self) -> Rule {
        let parts = self.to.into_iter().chain(self.from).chain(self.when);
        Rule { clauses: parts.map(Part::clause).collect() }
    }
}

impl<A: Asks> Part<A> {
    fn any_of<'r>(
        reader: &mut Reader<'r>,
        entries: &Value,
        path: &Path<'_>,
        read: fn(&mut Reader<'r>, &Value, &Path<'_>) -> Term<A>,
    ) -> Self {
        let Ok(entries) = read::list(entries, path, reader.findings) else {
            return Self { terms: Vec::new(), unknown: true };
        };
        if entries.is_empty() {
            // None of none is nobody, and Istio takes it for everybody.
            reader.findings.add(Severity::Invalid, path, "is empty; leave it out if the rule is for all");
        }
        let terms =
            entries.iter().enumerate().map(|(i, entry)| read(reader, entry, &path.index(i))).collect();
        Self { terms, unknown: entries.is_empty() }
    }
}

impl Part<Match> {
    fn clause(self) -> Clause {
        Clause { matches: self.terms.into_iter().map(|term| term.asks).collect() }
    }
}
