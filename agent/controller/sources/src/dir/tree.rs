//! All files as one set of objects, and what of it changes.
//!
//! ```text
//!   files that changed --> claims: which objects --> derive: which others follow --> told: what is not as it was
//! ```
//!
//! A change costs what its file says and what follows from that, however large the rest is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_resources::{Event, Key};

use super::claims::{Claims, Duplicate};
use super::derive::Derived;
use super::file::File;
use super::report::{Report, Severity};
use super::text::Content;
use super::told::Told;

/// What the files say, and what was said about it to whoever listens. No file system and no clock in here.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: BTreeMap<Arc<Path>, File>,
    claims: Claims,
    derived: Derived,
    told: Told,
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
    /// Nothing yet, in a cluster whose services have names below `domain`.
    pub(super) fn new(domain: Arc<str>) -> Self {
        Self { derived: Derived::new(domain), ..Self::default() }
    }

    /// Whether it has not said anything yet.
    pub(super) fn is_new(&self) -> bool {
        self.told.is_new()
    }

    /// What a file said in an earlier life of this process.
    pub(super) fn recall(&mut self, path: &Path, text: String) {
        self.take(path.into(), File::remembered(path, text), &File::default());
    }

    /// Takes files that are new, other, or gone.
    pub(super) fn update(&mut self, changes: Vec<(PathBuf, Content)>) -> Update {
        let mut update = Update::default();
        for (path, content) in changes {
            self.file(path, content, &mut update);
        }
        let mut touched = self.claims.take_touched();
        for key in &touched {
            let duplicates = self.claims.new_duplicates(key);
            update.reports.extend(duplicates.iter().map(|duplicate| report(key, duplicate)));
        }
        self.derived.follow(&mut touched, &self.claims, |key| self.told.get(key));
        let now = touched.into_iter().map(|key| {
            let entry = self.derived.entry(&key, &self.claims);
            (key, entry)
        });
        update.batches = self.told.tell(now);
        update
    }

    fn file(&mut self, path: PathBuf, content: Content, update: &mut Update) {
        let known = self.files.remove_entry(&*path);
        let (name, before) = known.unwrap_or_else(|| (path.as_path().into(), File::default()));
        let Some(content) = content else {
            self.claims.replace(&name, &before.entries, &[]);
            return update.whole.push((path, None));
        };
        let is_whole = match File::read(&path, &content, &before) {
            Some((file, said)) => {
                update.reports.extend(said);
                let is_whole = file.is_whole;
                self.take(name, file, &before);
                is_whole
            }
            None => {
                let is_whole = before.is_whole;
                self.files.insert(name, before);
                is_whole
            }
        };
        if is_whole {
            update.whole.extend(content.ok().map(|text| (path, Some(text))));
        }
    }

    fn take(&mut self, path: Arc<Path>, file: File, before: &File) {
        self.claims.replace(&path, &before.entries, &file.entries);
        self.files.insert(path, file);
    }
}

fn report(key: &Key, duplicate: &Duplicate<'_>) -> Report {
    let Duplicate { file, first } = duplicate;
    let message = format!("{key} is in {} already; that one is in force", first.display());
    Report { file: file.to_path_buf(), place: None, message, severity: Severity::Error }
}
