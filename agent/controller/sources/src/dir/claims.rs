//! Which files say an object, in the order of their names: the first is in force.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use weir_resources::{Key, Kind};

use super::file::Entry;

/// What all files say, by object, so that a file that changes costs no more than what it says.
#[derive(Debug, Default)]
pub(super) struct Claims {
    objects: BTreeMap<Key, Vec<Claim>>,
    /// Those of which a file says something else than it did.
    touched: BTreeSet<Key>,
}

/// What a file says of an object.
#[derive(Debug)]
struct Claim {
    file: Arc<Path>,
    entry: Entry,
    /// It comes after another file's, and its author was told so.
    is_told: bool,
}

/// A file that says an object which another one says already.
pub(super) struct Duplicate<'a> {
    pub(super) file: &'a Path,
    pub(super) first: &'a Path,
}

impl Claims {
    /// Takes what a file says, and what it said before. Each key is once in either.
    pub(super) fn replace(&mut self, file: &Arc<Path>, before: &[(Key, Entry)], after: &[(Key, Entry)]) {
        let kept: HashSet<&Key> = after.iter().map(|(key, _)| key).collect();
        for (key, _) in before.iter().filter(|(key, _)| !kept.contains(key)) {
            self.remove(file, key);
        }
        for (key, entry) in after {
            self.put(file, key, entry);
        }
    }

    fn remove(&mut self, file: &Path, key: &Key) {
        let Some(claims) = self.objects.get_mut(key) else { return };
        claims.retain(|claim| &*claim.file != file);
        if claims.is_empty() {
            self.objects.remove(key);
        }
        self.touched.insert(key.clone());
    }

    fn put(&mut self, file: &Arc<Path>, key: &Key, entry: &Entry) {
        let claim = || Claim { file: Arc::clone(file), entry: entry.clone(), is_told: false };
        match self.objects.get_mut(key) {
            // Nearly all of a hundred thousand are said once.
            None => drop(self.objects.insert(key.clone(), vec![claim()])),
            Some(claims) => match claims.binary_search_by(|other| other.file.cmp(file)) {
                Ok(at) if claims[at].entry == *entry => return,
                Ok(at) => claims[at].entry = entry.clone(),
                Err(at) => claims.insert(at, claim()),
            },
        }
        self.touched.insert(key.clone());
    }

    /// Those of which a file said something else since this was last asked.
    pub(super) fn take_touched(&mut self) -> BTreeSet<Key> {
        std::mem::take(&mut self.touched)
    }

    /// What holds of an object, if a file says it.
    pub(super) fn in_force(&self, key: &Key) -> Option<&Entry> {
        Some(&self.objects.get(key)?.first()?.entry)
    }

    /// Files that came to say an object after another one since this was last asked.
    pub(super) fn new_duplicates(&mut self, key: &Key) -> Vec<Duplicate<'_>> {
        let Some((first, others)) = self.objects.get_mut(key).and_then(|claims| claims.split_first_mut())
        else {
            return Vec::new();
        };
        first.is_told = false;
        let (first, mut new) = (&*first.file, Vec::new());
        for claim in others.iter_mut().filter(|claim| !claim.is_told) {
            claim.is_told = true;
            new.push(Duplicate { file: &claim.file, first });
        }
        new
    }

    /// Whether a file says something in a namespace.
    pub(super) fn speak_of(&self, namespace: &Arc<str>) -> bool {
        Kind::ALL.into_iter().any(|kind| self.of(kind, namespace).next().is_some())
    }

    /// The objects of a kind in a namespace.
    pub(super) fn of<'a>(&'a self, kind: Kind, namespace: &'a Arc<str>) -> impl Iterator<Item = &'a Key> {
        let start = Key { kind, namespace: Arc::clone(namespace), name: Arc::default() };
        let keys = self.objects.range(start..).map(|(key, _)| key);
        keys.take_while(move |key| key.kind == kind && key.namespace == *namespace)
    }
}
