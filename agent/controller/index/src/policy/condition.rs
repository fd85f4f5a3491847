//! A condition of a rule: an entry of `when`.

use serde_json::Value;

use super::path::Path;
use super::read::{self, Unknown, quoted};
use super::term::{Asks, Reader, Term, is_said};

impl Reader<'_> {
    /// An entry of `when`.
    pub(super) fn when<A: Asks>(&mut self, entry: &Value, path: &Path<'_>) -> Term<A> {
        let mut term: Term<A> = Term::default();
        let Ok(fields) = read::object(entry, path, self.findings) else { return Term::unknown() };
        for name in fields.keys().filter(|name| !matches!(name.as_str(), "key" | "values" | "notValues")) {
            read::unknown_field(&path.field(name), self.findings);
            term.unknown = true;
        }
        let key_path = path.field("key");
        let key = match fields.get("key") {
            Some(key) => read::text(key, &key_path, self.findings),
            None => Err(self.invalid(&key_path, "is missing")),
        };
        let said = ["values", "notValues"].iter().any(|name| is_said(fields, name));
        if !said {
            self.invalid(path, "has neither values nor notValues");
        }
        let Ok(key) = key else { return Term::unknown() };
        for (name, not) in [("values", false), ("notValues", true)] {
            let Some(value) = fields.get(name) else { continue };
            term.unknown |= term.asks.values(self, key, not, value, &path.field(name)).is_err();
        }
        term.unknown |= term.asks.key(self, key, &key_path).is_err();
        term.unknown |= !said;
        term
    }

    pub(super) fn unknown_key(&mut self, key: &str, at: &Path<'_>) -> Unknown {
        self.invalid(at, format!("{} is not a key that is known here", quoted(key)))
    }
}
