//! A rule of an AuthorizationPolicy.
//!
//! What cannot be told whether it holds decides differently by what a match means: an ALLOW must not let anybody in on it, so
//! the rule is left out; a DENY must not let anybody pass by it, so it counts as holding.

use serde_json::Value;
use weir_proto::security::{Clause, Match, Rule};

use super::finding::Severity;
use super::path::Path;
use super::read;
use super::term::{Reader, Term};

/// A rule as it was read: all of its parts must hold.
#[derive(Debug, Default)]
pub(super) struct Parts {
    parts: Vec<Part>,
    unknown: bool,
}

/// One of the terms must hold.
#[derive(Debug, Default)]
struct Part {
    terms: Vec<Term>,
    unknown: bool,
}

impl Parts {
    /// Reads a rule.
    pub(super) fn read(reader: &mut Reader<'_>, rule: &Value, path: &Path<'_>) -> Self {
        let Ok(fields) = read::object(rule, path, reader.findings) else { return Self::unknown() };
        let mut read = Self::default();
        for name in fields.keys().filter(|name| !matches!(name.as_str(), "from" | "to" | "when")) {
            read::unknown_field(&path.field(name), reader.findings);
            read.unknown = true;
        }
        if let Some(to) = fields.get("to") {
            read.parts.push(Part::any_of(reader, to, &path.field("to"), Reader::to));
        }
        if let Some(from) = fields.get("from") {
            read.parts.push(Part::any_of(reader, from, &path.field("from"), Reader::from));
        }
        if let Some(when) = fields.get("when") {
            let path = path.field("when");
            // Each condition must hold, so each is a part of its own; none is nothing to hold.
            match read::list(when, &path, reader.findings) {
                Ok(when) => read.parts.extend(when.iter().enumerate().map(|(i, condition)| Part {
                    terms: vec![reader.when(condition, &path.index(i))],
                    unknown: false,
                })),
                Err(_) => read.unknown = true,
            }
        }
        read
    }

    /// The rule of a policy that allows; `None` if anything in it is unknown.
    pub(super) fn allow(self) -> Option<Rule> {
        let unknown = self.unknown
            || self.parts.iter().any(|part| part.unknown || part.terms.iter().any(|t| t.unknown));
        (!unknown).then(|| Rule { clauses: self.parts.into_iter().map(Part::clause).collect() })
    }

    /// The rule of a policy that denies. A part of which one term asks for nothing that is known always holds; an empty
    /// match in its place would never.
    pub(super) fn deny(self) -> Rule {
        let decides = |part: &Part| !part.unknown && part.terms.iter().all(|t| t.asks != Match::default());
        Rule { clauses: self.parts.into_iter().filter(decides).map(Part::clause).collect() }
    }

    fn unknown() -> Self {
        Self { parts: Vec::new(), unknown: true }
    }
}

impl Part {
    fn any_of<'r>(
        reader: &mut Reader<'r>,
        entries: &Value,
        path: &Path<'_>,
        read: fn(&mut Reader<'r>, &Value, &Path<'_>) -> Term,
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

    fn clause(self) -> Clause {
        Clause { matches: self.terms.into_iter().map(|term| term.asks).collect() }
    }
}
