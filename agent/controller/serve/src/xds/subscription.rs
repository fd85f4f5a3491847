//! What one client asked for of one type, and what it still has to be sent. No I/O, no clock.
//!
//! It is fed from a picture and its log of changes and holds a position in that log. A client that asked for everything
//! costs nothing more; one that asks for names costs those names and the names it was given.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use weir_index::Resource;

use super::response::{Batch, Collection};
use crate::store::{Log, Published};

mod all;
mod asked;
mod changes;
mod names;

pub(crate) use asked::Asked;

/// The subscription of one client to one type.
pub(crate) struct Subscription {
    collection: Collection,
    wildcard: bool,
    /// Names that the client asked for, as it wrote them.
    asked: HashSet<Arc<str>>,
    /// How many of them it asked for on an earlier stream, or was given there.
    brought: usize,
    /// What it holds by name; of a wildcard subscription nothing is kept.
    known: HashSet<Arc<str>>,
    /// Answers that it waits for, all from the picture that is being sent.
    owed: VecDeque<Arc<Resource>>,
    /// Policies that are narrower than what it holds: it is to have the workloads that name them before.
    narrower: VecDeque<Arc<str>>,
    /// Names that it is to be told are not there.
    removed: VecDeque<Arc<str>>,
    /// Everything before this position of the log was sent.
    position: u64,
    /// The position of the picture that it has all of.
    settled: u64,
    /// What went before this position, the client never held.
    removals_from: u64,
    /// The first response was made: it is due even if there is nothing to say.
    answered: bool,
    /// The client's node.
    node: Arc<str>,
}

impl Subscription {
    /// The first request of a type.
    pub(crate) fn open(collection: Collection, asked: &Asked<'_>, node: Arc<str>, now: &Published) -> Self {
        let mut subscription = Self {
            collection,
            // A client on demand asks for "*" and takes it back in the same request.
            wildcard: asked.subscribe.is_empty() || (asked.has_star() && !asked.drops_star()),
            asked: HashSet::new(),
            brought: 0,
            known: HashSet::new(),
            owed: VecDeque::new(),
            narrower: VecDeque::new(),
            removed: VecDeque::new(),
            position: now.position,
            settled: 0,
            removals_from: now.position,
            answered: false,
            node,
        };
        match subscription.wildcard {
            true => subscription.open_all(asked, now),
            false => subscription.open_names(asked, now),
        }
        subscription
    }

    /// A later request: other names.
    pub(crate) fn update(&mut self, asked: &Asked<'_>, now: &Published) {
        if asked.has_star() && !asked.drops_star() && !self.wildcard {
            self.widen();
        } else if asked.drops_star() && self.wildcard {
            self.narrow(now);
        }
        for name in asked.unsubscribed() {
            self.drop_name(name, now);
        }
        if !self.wildcard {
            // What is not followed any more must not be sent once more: the client would keep it for ever.
            self.owed.retain(|resource| self.known.contains(&resource.name));
        }
        let mut queued = HashSet::new();
        for name in asked.names() {
            self.asked.insert(name.into());
            self.answer(name, None, &mut queued, now);
        }
    }

    /// The next response, of at most about `budget` bytes. Without `removals`, removals are kept for later, and so is what
    /// takes something away from what it was for.
    pub(crate) fn next(&mut self, now: &Published, budget: usize, removals: bool) -> Option<Batch> {
        let mut batch = Batch::default();
        while batch.bytes < budget
            && let Some(resource) = self.owed.pop_front()
        {
            batch.push(self.collection, &resource, true);
        }
        self.walk(now, &mut batch, budget);
        while removals
            && batch.bytes < budget
            && let Some(name) = self.narrower.pop_front()
        {
            // The picture may be a later one than that in which it became narrower.
            if let Some(resource) = now.snapshot.authorization(&name) {
                batch.push(self.collection, resource, false);
            }
        }
        while removals
            && batch.bytes < budget
            && let Some(name) = self.removed.pop_front()
        {
            batch.remove(self.collection, &name);
        }
        batch.more =
            !self.owed.is_empty() || self.position < now.position || (removals && self.keeps_something());
        if batch.is_empty() && self.answered {
            return None;
        }
        self.answered = true;
        Some(batch)
    }

    /// Whether it can still be told of all that went since it was last sent something.
    pub(crate) fn is_remembered(&self, now: &Published) -> bool {
        self.log(now).remembers(self.position.max(self.removals_from))
    }

    fn keeps_something(&self) -> bool {
        !self.narrower.is_empty() || !self.removed.is_empty()
    }

    pub(crate) fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// Whether the first response was made.
    pub(crate) fn is_answered(&self) -> bool {
        self.answered
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// How many names were asked for, and how many resources are held by name.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.asked.len(), self.known.len())
    }

    /// How many answers wait to be sent.
    pub(crate) fn owed(&self) -> usize {
        self.owed.len()
    }

    /// How many names were asked for on this stream.
    pub(crate) fn asked_here(&self) -> usize {
        self.asked.len().saturating_sub(self.brought)
    }

    /// The log that it follows.
    fn log<'a>(&self, now: &'a Published) -> &'a Log {
        self.collection.log(now)
    }
}

/// Versions by name.
pub(crate) type Held = BTreeMap<String, String>;
