//! What was told to whoever listens, and what is not as it was told.

use std::collections::BTreeMap;

use weir_resources::{Event, Key, Kind};

use super::file::Entry;

/// Objects as they were told last.
#[derive(Debug, Default)]
pub(super) struct Told {
    known: BTreeMap<Key, Known>,
    /// There were complete lists.
    is_synced: bool,
}

#[derive(Debug)]
struct Known {
    /// As in the file.
    entry: Entry,
    /// As sent: the file's own, or a count of changes.
    generation: i64,
}

impl Told {
    /// Whether nothing was told yet.
    pub(super) fn is_new(&self) -> bool {
        !self.is_synced
    }

    /// What was told of an object.
    pub(super) fn get(&self, key: &Key) -> Option<&Entry> {
        self.known.get(key).map(|known| &known.entry)
    }

    /// What to tell of objects that may have changed, in the order of their keys; `None` is gone.
    pub(super) fn tell(&mut self, now: impl Iterator<Item = (Key, Option<Entry>)>) -> Vec<Vec<Event>> {
        if self.is_synced { self.changes(now) } else { self.lists(now) }
    }

    fn lists(&mut self, now: impl Iterator<Item = (Key, Option<Entry>)>) -> Vec<Vec<Event>> {
        self.is_synced = true;
        let mut batches: BTreeMap<Kind, Vec<Event>> =
            Kind::ALL.into_iter().map(|kind| (kind, vec![Event::Relist(kind)])).collect();
        for (key, entry) in now {
            let kind = key.kind;
            let event = entry.and_then(|entry| self.put(key, entry));
            batches.entry(kind).or_default().extend(event);
        }
        let finish = |kind| {
            let mut batch = batches.remove(&kind).unwrap_or_default();
            batch.push(Event::Synced(kind));
            batch
        };
        Kind::ALL.into_iter().map(finish).collect()
    }

    fn changes(&mut self, now: impl Iterator<Item = (Key, Option<Entry>)>) -> Vec<Vec<Event>> {
        let (mut puts, mut deletes): (Vec<(Kind, Event)>, Vec<Event>) = (Vec::new(), Vec::new());
        for (key, entry) in now {
            let kind = key.kind;
            match entry {
                Some(entry) => puts.extend(self.put(key, entry).map(|event| (kind, event))),
                None => deletes.extend(self.known.remove(&key).map(|_| Event::Delete(key))),
            }
        }
        // What others refer to comes first.
        puts.sort_by_key(|(kind, _)| Kind::ALL.iter().position(|other| other == kind));
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
}
