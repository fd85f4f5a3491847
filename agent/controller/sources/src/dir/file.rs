//! What one file says.

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use weir_resources::{Invalid, Key, Kind, Object, documents, kind_of, locate, parse};

use super::complete::complete;
use super::report::{Report, Severity};

/// The objects of a file.
#[derive(Debug, Default)]
pub(super) struct File {
    /// Tells versions apart.
    version: u64,
    /// Every document of it could be read.
    pub(super) is_whole: bool,
    /// Each key once, in the order of the file.
    pub(super) entries: Vec<(Key, Entry)>,
}

/// An object, or why it cannot be read. The latter takes the former's place, as it would in a cluster.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Entry {
    Object(Arc<Object>),
    Invalid(Arc<Invalid>),
}

impl File {
    /// What a file said in an earlier life of this process, which nobody needs to be told.
    pub(super) fn remembered(path: &Path, text: String) -> Self {
        let file = Self::read(path, &Ok(text), &Self::default()).map(|(file, _)| file).unwrap_or_default();
        // No version: what it says now is read, and what is wrong with it is said.
        Self { version: 0, ..file }
    }

    /// The next version of a file, and what is to be said about it; `None` if it is the same.
    pub(super) fn read(
        path: &Path,
        content: &Result<String, String>,
        before: &Self,
    ) -> Option<(Self, Vec<Report>)> {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        let version = hasher.finish();
        if version == before.version {
            return None;
        }
        let mut reader = Reader { path, text: content.as_deref().unwrap_or_default(), ..Reader::default() };
        match content {
            Ok(text) => documents(text).for_each(|document| match document {
                Ok((line, value)) => reader.object(line, value),
                Err(problem) => reader.broken((problem.line, problem.column), problem.message),
            }),
            Err(why) => {
                reader.is_broken = true;
                reader.report(None, Severity::Error, format!("{why}; what it said before stays in force"));
            }
        }
        if reader.is_broken {
            // Nobody knows what the broken document is, so nothing that is missing is taken for gone.
            let missing = before.entries.iter().filter(|(key, _)| !reader.seen.contains(key));
            reader.entries.extend(missing.cloned());
        }
        reader.note_others();
        let file = Self { version, is_whole: !reader.is_broken, entries: reader.entries };
        Some((file, reader.reports))
    }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    entries: Vec<(Key, Entry)>,
    seen: HashSet<Key>,
    /// Kinds that the mesh does not read.
    others: BTreeSet<String>,
    is_broken: bool,
    reports: Vec<Report>,
}

impl Default for Reader<'_> {
    fn default() -> Self {
        Self {
            path: Path::new(""),
            text: "",
            entries: Vec::new(),
            seen: HashSet::new(),
            others: BTreeSet::new(),
            is_broken: false,
            reports: Vec::new(),
        }
    }
}

impl Reader<'_> {
    fn object(&mut self, line: usize, mut value: Value) {
        let Some(kind) = kind_of(&value) else { return self.other(line, &value) };
        complete(kind, &mut value);
        match parse(value) {
            Ok(object) => {
                let key = object.key();
                self.add(line, key, Entry::Object(Arc::new(object)));
            }
            Err(invalid) => {
                let place = locate(self.text, line, &invalid.problem.field).unwrap_or((line, 1));
                match &invalid.key {
                    Some(key) => {
                        self.report(Some(place), Severity::Error, invalid.to_string());
                        let key = key.clone();
                        self.add(line, key, Entry::Invalid(Arc::new(invalid)));
                    }
                    None => {
                        self.broken(place, format!("{} without a name: {}", kind.name(), invalid.problem))
                    }
                }
            }
        }
    }

    fn add(&mut self, line: usize, key: Key, entry: Entry) {
        if self.seen.insert(key.clone()) {
            self.entries.push((key, entry));
            return;
        }
        let message = format!("{key} is in this file twice; the first is in force");
        self.report(Some((line, 1)), Severity::Error, message);
    }

    /// An object that may well be meant for somebody else.
    fn other(&mut self, line: usize, value: &Value) {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let Some(kind) = text("kind") else {
            return self.broken((line, 1), "an object without `kind`".into());
        };
        let version = text("apiVersion").unwrap_or_default();
        // Every object has a name; without one this is what was written so far of one that may well be ours.
        if value.pointer("/metadata/name").is_none() {
            self.is_broken = true;
            let message = "an object without a name; what the file said before stays in force";
            self.report(Some((line, 1)), Severity::Note, message.to_owned());
        }
        let kind: String = kind.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
        // Nobody writes these by accident for something else; who misspells one should hear it.
        let is_ours = ["istio.io/", "gateway.networking.k8s.io/"].iter().any(|group| version.contains(group))
            || Kind::ALL.iter().any(|known| known.name() == kind);
        if is_ours {
            let message =
                format!("{kind} of that apiVersion is nothing that the mesh reads; it is passed over");
            let place = locate(self.text, line, "apiVersion");
            return self.report(place, Severity::Error, message);
        }
        self.others.insert(kind);
    }

    fn note_others(&mut self) {
        if !self.others.is_empty() {
            let kinds: Vec<_> = self.others.iter().take(20).cloned().collect();
            let message = format!("of kinds that the mesh does not read: {}", kinds.join(", "));
            self.report(None, Severity::Note, message);
        }
    }

    fn broken(&mut self, place: (usize, usize), message: String) {
        self.is_broken = true;
        let message = format!("{message}; what the file said before stays in force");
        self.report(Some(place), Severity::Error, message);
    }

    fn report(&mut self, place: Option<(usize, usize)>, severity: Severity, message: String) {
        self.reports.push(Report { file: self.path.to_owned(), place, message, severity });
    }
}
