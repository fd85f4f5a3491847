//! All files as one set of objects, and what of it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use weir_resources::{Event, Key, Kind};

use super::derive::derive;
use super::file::{Entry, File};
use super::report::{Report, Severity};
use super::text::Content;

/// What the files say, and what was said about it to whoever listens. No file system and no clock in here.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: BTreeMap<PathBuf, File>,
    known: BTreeMap<Key, Known>,
    /// Keys that a file says after another one did.
    duplicates: BTreeSet<(Key, PathBuf)>,
    is_synced: bool,
}

/// What was sent last.
#[derive(Debug)]
struct Known {
    /// As in the file.
    entry: Entry,
    /// As sent: the file's own, or a count of changes.
    generation: i64,
}

/// What came of a change.
#[derive(Debug, Default)]
pub(super) struct Update {
    /// The first time a list per kind, later one batch, so that nobody sees half of a change.
    pub(super) batches: Vec<Vec<Event>>,
    pub(super) reports: Vec<Report>,
    /// Files that are whole, with what they say, and files that are gone.
    pub(super) whole: Vec<(PathBuf, Option<String>)>,
}

impl Tree {
    /// Whether it has not said anything yet.
    pub(super) fn is_new(&self) -> bool {
        !self.is_synced
    }

    /// What a file said in an earlier life of this process.
    pub(super) fn recall(&mut self, path: &Path, text: String) {
        self.files.insert(path.to_owned(), File::remembered(path, text));
    }

    /// Takes files that are new, other, or gone.
    pub(super) fn update(&mut self, changes: Vec<(PathBuf, Content)>) -> Update {
        let (mut reports, mut whole) = (Vec::new(), Vec::new());
        for (path, content) in changes {
            let before = self.files.remove(&path).unwrap_or_default();
            let Some(content) = content else {
                whole.push((path, None));
                continue;
            };
            let (file, said) = File::read(&path, &content, before);
            reports.extend(said);
            if file.is_whole {
                whole.extend(content.ok().map(|text| (path.clone(), Some(text))));
            }
            self.files.insert(path, file);
        }
        let (mut all, duplicates) = merge(&self.files);
        reports.extend(duplicates.difference(&self.duplicates).map(|(key, path)| self.duplicate(key, path)));
        self.duplicates = duplicates;
        derive(&mut all);
        let batches = if self.is_synced { self.changes(all) } else { self.lists(all) };
        Update { batches, reports, whole }
    }

    fn lists(&mut self, all: BTreeMap<Key, Entry>) -> Vec<Vec<Event>> {
        self.is_synced = true;
        let mut batches: BTreeMap<Kind, Vec<Event>> =
            Kind::ALL.into_iter().map(|kind| (kind, vec![Event::Relist(kind)])).collect();
        for (key, entry) in all {
            let kind = key.kind;
            batches.entry(kind).or_default().extend(self.put(key, entry));
        }
        let finish = |kind| {
            let mut batch = batches.remove(&kind).unwrap_or_default();
            batch.push(Event::Synced(kind));
            batch
        };
        Kind::ALL.into_iter().map(finish).collect()
    }

    fn changes(&mut self, all: BTreeMap<Key, Entry>) -> Vec<Vec<Event>> {
        let gone: Vec<Key> = self.known.keys().filter(|key| !all.contains_key(key)).cloned().collect();
        let mut puts: Vec<(Kind, Event)> = Vec::new();
        for (key, entry) in all {
            let kind = key.kind;
            puts.extend(self.put(key, entry).map(|event| (kind, event)));
        }
        // What others refer to comes first.
        puts.sort_by_key(|(kind, _)| Kind::ALL.iter().position(|other| other == kind));
        let deletes = gone.into_iter().map(|key| {
            self.known.remove(&key);
            Event::Delete(key)
        });
        let batch: Vec<Event> = puts.into_iter().map(|(_, event)| event).chain(deletes).collect();
        if batch.is_empty() { Vec::new() } else { vec![batch] }
    }

    /// The event, if it is not what was sent last.
    fn put(&mut self, key: Key, entry: Entry) -> Option<Event> {
        let before = self.known.get(&key);
        if before.is_some_and(|known| known.entry == entry) {
            return None;
        }
        let count = before.map_or(0, |known| known.generation) + 1;
        let number = |given: i64| if given == 0 { count } else { given };
        let (event, generation) = match &entry {
            Entry::Object(object) => {
                let mut object = (**object).clone();
                let generation = number(object.meta().generation);
                object.meta_mut().generation = generation;
                (Event::Apply(Box::new(object)), generation)
            }
            Entry::Invalid(invalid) => {
                let mut invalid = (**invalid).clone();
                let generation = number(invalid.meta.generation);
                invalid.meta.generation = generation;
                (Event::Invalid(Box::new(invalid)), generation)
            }
        };
        self.known.insert(key, Known { entry, generation });
        Some(event)
    }

    fn duplicate(&self, key: &Key, path: &Path) -> Report {
        let first = self.files.iter().find(|(_, file)| file.entries.iter().any(|(other, _)| other == key));
        let first = first.map_or_else(String::new, |(path, _)| path.display().to_string());
        let message = format!("{key} is in {first} already; that one is in force");
        Report { file: path.to_owned(), place: None, message, severity: Severity::Error }
    }
}

/// The first file by name wins.
fn merge(files: &BTreeMap<PathBuf, File>) -> (BTreeMap<Key, Entry>, BTreeSet<(Key, PathBuf)>) {
    let (mut all, mut duplicates) = (BTreeMap::new(), BTreeSet::new());
    for (path, file) in files {
        for (key, entry) in &file.entries {
            if all.contains_key(key) {
                duplicates.insert((key.clone(), path.clone()));
            } else {
                all.insert(key.clone(), entry.clone());
            }
        }
    }
    (all, duplicates)
}
