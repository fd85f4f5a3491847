//! Every resource once, in the order in which they changed last; what is gone leaves a mark for a while.
//!
//! A stream needs to remember no more than a position in it: what changed since is what follows, and a resource that
//! changed ten times meanwhile is there once. So pushes merge for slow clients without a list of what each has missed.

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeFrom;
use std::sync::Arc;

use imbl::OrdMap;
use weir_index::{Change, Resource, ResourceKind};

use super::scope::{Narrowed, Scopes};

/// A log as it was at one moment.
#[derive(Clone, Default)]
pub(crate) struct Log {
    entries: OrdMap<u64, Entry>,
    /// Marks of what was gone before this position have been dropped.
    forgotten: u64,
    narrowed: Narrowed,
}

/// What happened last to a name.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    /// It is this.
    Live(Arc<Resource>),
    /// It was of this kind, and is gone.
    Gone(Arc<str>, ResourceKind),
}

impl Log {
    /// What changed at or after a position.
    pub(crate) fn since(&self, range: RangeFrom<u64>) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.range(range).map(|(position, entry)| (*position, entry))
    }

    /// Whether somebody who saw everything before `position`, and nothing else, holds this policy as one for all of a
    /// namespace or the mesh, while it is for single workloads now.
    pub(crate) fn is_narrower(&self, name: &str, position: u64) -> bool {
        // The change at a position was seen by who stands behind it.
        self.narrowed.get(name).is_some_and(|broad| broad.start < position && position <= broad.end)
    }

    /// Whether somebody who saw everything before `position` can still be told all that went since.
    pub(crate) fn remembers(&self, position: u64) -> bool {
        position >= self.forgotten
    }
}

/// The one that writes a log.
#[derive(Default)]
pub(super) struct Writer {
    log: Log,
    positions: HashMap<Arc<str>, u64>,
    gone: BTreeSet<u64>,
    scopes: Scopes,
}

impl Writer {
    /// What changed, from now on.
    pub(super) fn apply(&mut self, next: &mut u64, changes: &[Change]) {
        for change in changes {
            self.set(next, &change.name, change.resource.as_ref());
        }
    }

    /// The name is this from now on, or nothing.
    pub(super) fn set(&mut self, next: &mut u64, name: &Arc<str>, resource: Option<&Arc<Resource>>) {
        let before = self.positions.get(name).copied();
        let was = before.and_then(|position| self.log.entries.get(&position)).cloned();
        let entry = match (resource, was) {
            (Some(resource), _) => Entry::Live(resource.clone()),
            (None, Some(Entry::Live(was))) => Entry::Gone(was.name.clone(), was.kind),
            // Gone already, or never there.
            (None, _) => return,
        };
        if let Some(before) = before {
            self.log.entries.remove(&before);
            self.gone.remove(&before);
        }
        let position = *next;
        *next += 1;
        if matches!(entry, Entry::Gone(..)) {
            self.gone.insert(position);
        }
        self.scopes.note(&mut self.log.narrowed, name, resource.map(|resource| &**resource), position);
        self.log.entries.insert(position, entry);
        self.positions.insert(name.clone(), position);
        self.forget();
    }

    pub(super) fn log(&self) -> Log {
        self.log.clone()
    }

    /// Keeps the marks bounded. A stream that is further behind has to come again and say what it has.
    fn forget(&mut self) {
        while self.gone.len() > MARKS {
            let Some(oldest) = self.gone.pop_first() else { return };
            if let Some(Entry::Gone(name, _)) = self.log.entries.remove(&oldest) {
                self.positions.remove(&name);
            }
            self.log.forgotten = oldest + 1;
        }
    }
}

/// How many names that are gone are remembered: pods of many minutes of heavy churn, a few MiB.
pub(super) const MARKS: usize = 65_536;
