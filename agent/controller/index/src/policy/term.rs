//! The smallest part of a rule: a source, an operation, or a condition.

use serde_json::{Map, Value};
use weir_proto::security::StringMatch;

use super::finding::{Findings, Severity};
use super::path::Path;
use super::read::{self, Unknown};
use super::value;

/// What can be asked for, which is more of requests than of connections.
pub(super) trait Asks: Default {
    /// A field of a `source`.
    fn source(
        &mut self,
        reader: &mut Reader<'_>,
        name: &str,
        value: &Value,
        at: &Path<'_>,
    ) -> Result<(), Unknown>;

    /// A field of an `operation`.
    fn operation(
        &mut self,
        reader: &mut Reader<'_>,
        name: &str,
        value: &Value,
        at: &Path<'_>,
    ) -> Result<(), Unknown>;

    /// The `key` of a condition, after its values.
    fn key(&mut self, reader: &mut Reader<'_>, key: &str, at: &Path<'_>) -> Result<(), Unknown>;

    /// `values` or `notValues` of a condition. Whether the key is one at all is asked once, not for each list.
    fn values(
        &mut self,
        reader: &mut Reader<'_>,
        key: &str,
        not: bool,
        value: &Value,
        at: &Path<'_>,
    ) -> Result<(), Unknown>;

    /// Nothing about who the peer is.
    fn forget_peers(&mut self);

    /// Whether nothing is asked.
    fn is_empty(&self) -> bool;
}

/// What a part of a rule asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Term<A> {
    /// What is understood of it. All fields must hold.
    pub(super) asks: A,
    /// It asks for more, and nobody here can tell what or whether.
    pub(super) unknown: bool,
}

/// What reading needs to know of the policy.
pub(super) struct Reader<'r> {
    /// Namespace of the policy.
    pub(super) namespace: &'r str,
    pub(super) findings: &'r mut Findings,
}

impl Reader<'_> {
    /// An entry of `from`.
    pub(super) fn from<A: Asks>(&mut self, entry: &Value, path: &Path<'_>) -> Term<A> {
        self.wrapped(entry, path, "source", |reader, fields, path| {
            let mut term = reader.fields(fields, path, A::source);
            reader.refuse_two_ways_to_name_a_peer(fields, &mut term, path);
            term
        })
    }

    /// An entry of `to`.
    pub(super) fn to<A: Asks>(&mut self, entry: &Value, path: &Path<'_>) -> Term<A> {
        self.wrapped(entry, path, "operation", |reader, fields, path| {
            reader.fields(fields, path, A::operation)
        })
    }

    fn fields<A: Asks>(
        &mut self,
        fields: &Map<String, Value>,
        path: &Path<'_>,
        read: fn(&mut A, &mut Self, &str, &Value, &Path<'_>) -> Result<(), Unknown>,
    ) -> Term<A> {
        let mut term = Term::default();
        for (name, value) in fields {
            term.unknown |= read(&mut term.asks, self, name, value, &path.field(name)).is_err();
        }
        term
    }

    /// `{ <name>: { .. } }`: that and nothing else.
    fn wrapped<A: Asks>(
        &mut self,
        entry: &Value,
        path: &Path<'_>,
        name: &str,
        read: fn(&mut Self, &Map<String, Value>, &Path<'_>) -> Term<A>,
    ) -> Term<A> {
        let Ok(outer) = read::object(entry, path, self.findings) else { return Term::unknown() };
        let mut others = false;
        for other in outer.keys().filter(|other| *other != name) {
            read::unknown_field(&path.field(other), self.findings);
            others = true;
        }
        let at = path.field(name);
        let Some(inner) = outer.get(name) else {
            self.invalid(&at, "is missing");
            return Term::unknown();
        };
        let Ok(fields) = read::object(inner, &at, self.findings) else { return Term::unknown() };
        let mut term = read(self, fields, &at);
        if !fields.keys().any(|name| is_said(fields, name)) {
            // Istio's node proxy takes it for nothing, its sidecar for anything: it is not for us to choose.
            self.invalid(&at, "says nothing");
            term.unknown = true;
        }
        term.unknown |= others;
        term
    }

    /// Istio has the one or the other. Both together may have been meant as "or", and be read as "and".
    fn refuse_two_ways_to_name_a_peer<A: Asks>(
        &mut self,
        fields: &Map<String, Value>,
        term: &mut Term<A>,
        path: &Path<'_>,
    ) {
        let said = |names: &[&str]| names.iter().any(|name| is_said(fields, name));
        let accounts = said(&["serviceAccounts", "notServiceAccounts"]);
        if !accounts || !said(&["principals", "notPrincipals", "namespaces", "notNamespaces"]) {
            return;
        }
        self.invalid(path, "has service accounts beside principals or namespaces, which cannot be");
        term.asks.forget_peers();
        term.unknown = true;
    }

    /// A list that says nothing that could be enforced, whatever it says; empty, it says nothing at all.
    pub(super) fn unsupported(&mut self, value: &Value, at: &Path<'_>, why: &str) -> Result<(), Unknown> {
        if self.any_texts(value, at)? == 0 {
            return Ok(());
        }
        self.findings.add(Severity::Unsupported, at, why);
        Err(Unknown)
    }

    /// How many there are of a list of texts that mean nothing here.
    pub(super) fn any_texts(&mut self, value: &Value, at: &Path<'_>) -> Result<usize, Unknown> {
        read::texts(value, at, self.findings, |_| Ok(())).map(|texts| texts.len())
    }

    /// Patterns of peers' identities.
    pub(super) fn principals(&mut self, value: &Value, at: &Path<'_>) -> Result<Vec<StringMatch>, Unknown> {
        self.patterns_as(value, at, value::principal)
    }

    /// Patterns of names.
    pub(super) fn patterns(&mut self, value: &Value, at: &Path<'_>) -> Result<Vec<StringMatch>, Unknown> {
        self.patterns_as(value, at, value::pattern)
    }

    fn patterns_as(
        &mut self,
        value: &Value,
        at: &Path<'_>,
        parse: fn(&str) -> Result<StringMatch, String>,
    ) -> Result<Vec<StringMatch>, Unknown> {
        let patterns = self.texts(value, at, parse)?;
        for (i, item) in value.as_array().into_iter().flatten().enumerate() {
            if let Some(doubt) = item.as_str().and_then(value::doubt) {
                self.findings.add(Severity::Notice, at.index(i), doubt);
            }
        }
        Ok(patterns)
    }

    pub(super) fn texts<T>(
        &mut self,
        value: &Value,
        at: &Path<'_>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Unknown> {
        read::texts(value, at, self.findings, parse)
    }

    pub(super) fn invalid(&mut self, at: &Path<'_>, message: impl Into<String>) -> Unknown {
        self.findings.add(Severity::Invalid, at, message);
        Unknown
    }
}

impl<A: Asks> Term<A> {
    pub(super) fn unknown() -> Self {
        Self { asks: A::default(), unknown: true }
    }
}

/// Whether a field is there and is not an empty list, which is as good as none.
pub(super) fn is_said(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).is_some_and(|value| value.as_array().is_none_or(|list| !list.is_empty()))
}
