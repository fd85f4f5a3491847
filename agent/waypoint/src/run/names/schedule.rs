//! When a name is asked for again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::Found;
use crate::configuration::Answer;

/// Names and when they are due.
#[derive(Debug, Default)]
pub(super) struct Schedule(BTreeMap<String, Entry>);

#[derive(Debug, Default)]
struct Entry {
    /// `None`: it is being asked for.
    due: Option<Instant>,
    /// In a row.
    failures: u32,
}

impl Schedule {
    /// These and no others. One that is new is due at once.
    pub(super) fn want(&mut self, names: &BTreeSet<String>, now: Instant) {
        self.0.retain(|name, _| names.contains(name));
        for name in names {
            if !self.0.contains_key(name) {
                self.0.insert(name.clone(), Entry { due: Some(now), failures: 0 });
            }
        }
    }

    /// Those that are due, which are being asked for from now on.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<String> {
        let due = self.0.iter_mut().filter(|(_, entry)| entry.due.is_some_and(|due| due <= now));
        due.map(|(name, entry)| {
            entry.due = None;
            name.clone()
        })
        .collect()
    }

    /// The next time that something is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().filter_map(|entry| entry.due).min()
    }

    /// One was answered. What is not wanted any more is passed over.
    pub(super) fn answered(&mut self, name: &str, found: &Found, now: Instant) {
        let Some(entry) = self.0.get_mut(name) else { return };
        let pause = match &found.answer {
            Answer::Addresses(_) => {
                entry.failures = 0;
                found.ttl.clamp(SHORTEST, LONGEST)
            }
            Answer::None(_) => {
                entry.failures = 0;
                GONE
            }
            Answer::Failed(_) => {
                let pause = SHORTEST * 2u32.saturating_pow(entry.failures.min(16));
                entry.failures = entry.failures.saturating_add(1);
                pause.min(LONGEST)
            }
        };
        entry.due = Some(now + pause);
    }
}

/// However short an answer holds, and after a first failure.
const SHORTEST: Duration = Duration::from_secs(1);
/// However long an answer holds.
const LONGEST: Duration = Duration::from_secs(60);
/// A name that is not there may come.
const GONE: Duration = Duration::from_secs(5);
