//! What one client asked for of one type, and what it still has to be sent. No I/O, no clock.
//!
//! It is fed from a picture and its log of changes and holds a position in that log. A client that asked for everything
//! costs nothing more; one that asks for names costs those names and the names it was given.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use weir_index::{Resource, ResourceKind};

use super::response::{Batch, Collection, is_version};
use crate::store::{Entry, Log, Published};

mod asked;

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
    /// Names that it is to be told are not there.
    removed: VecDeque<Arc<str>>,
    /// Everything before this position of the log was sent.
    position: u64,
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
            removed: VecDeque::new(),
            position: now.position,
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

    /// The next response, of at most about `budget` bytes. Without `removals`, removals are kept for later.
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
            && let Some(name) = self.removed.pop_front()
        {
            batch.remove(&name);
        }
        batch.more =
            !self.owed.is_empty() || self.position < now.position || (removals && !self.removed.is_empty());
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

    /// How many names were asked for on this stream.
    pub(crate) fn asked_here(&self) -> usize {
        self.asked.len().saturating_sub(self.brought)
    }

    fn log<'a>(&self, now: &'a Published) -> &'a Log {
        match self.collection {
            Collection::Authorization => &now.authorizations,
            Collection::Address | Collection::Workload => &now.addresses,
        }
    }

    /// Sends what changed since the position.
    fn walk(&mut self, now: &Published, batch: &mut Batch, budget: usize) {
        for (position, entry) in self.log(now).since(self.position..) {
            if batch.bytes >= budget {
                self.position = position;
                return;
            }
            match entry {
                Entry::Live(resource) if self.wants(resource) => self.send(resource, batch, now),
                Entry::Gone(name, kind) if self.held(name, *kind, position) => {
                    self.removed.push_back(name.clone());
                }
                Entry::Live(_) | Entry::Gone(..) => {}
            }
        }
        self.position = now.position;
    }

    fn send(&mut self, resource: &Arc<Resource>, batch: &mut Batch, now: &Published) {
        batch.push(self.collection, resource, !self.wildcard);
        if self.wildcard {
            return;
        }
        let is_new = self.known.insert(resource.name.clone());
        if is_new && resource.kind == ResourceKind::Service {
            // A service that was asked for before it was there: with its workloads, as if asked for now.
            let mut queued = HashSet::from([resource.name.clone()]);
            self.queue_members(&resource.name, None, &mut queued, now);
        }
    }

    /// Whether a resource that changed concerns the client.
    fn wants(&self, resource: &Resource) -> bool {
        let has = |name: &Arc<str>| self.asked.contains(name) || self.known.contains(name);
        self.collection.has(resource.kind)
            && (self.wildcard
                || has(&resource.name)
                || (!self.node.is_empty() && resource.node == self.node)
                || resource.aliases.iter().any(|alias| self.asked.contains(alias))
                || resource.services.iter().any(has))
    }

    /// Whether the client holds (or may hold) something that is gone.
    fn held(&mut self, name: &Arc<str>, kind: ResourceKind, position: u64) -> bool {
        match self.wildcard {
            true => self.collection.has(kind) && position >= self.removals_from,
            false => self.known.remove(name),
        }
    }

    fn open_all(&mut self, asked: &Asked<'_>, now: &Published) {
        let held = asked.held;
        // Policies are sent again whatever the client has, as Istio does: they are few, and there must be no doubt.
        if held.is_empty() || self.collection == Collection::Authorization {
            self.position = 0;
        } else {
            let differs =
                |resource: &Resource| !held.get(&*resource.name).is_some_and(|v| is_version(resource, v));
            let live = self.log(now).since(0..).filter_map(|(_, entry)| match entry {
                Entry::Live(resource) => Some(resource),
                Entry::Gone(..) => None,
            });
            let owed: VecDeque<_> =
                live.filter(|r| self.collection.has(r.kind) && differs(r)).cloned().collect();
            self.owed = owed;
        }
        let vanished = held.keys().filter(|name| self.resolve(name, now).is_empty());
        self.removed = vanished.map(|name| name.as_str().into()).collect();
        let mut queued = self.owed.iter().map(|resource| resource.name.clone()).collect();
        for name in asked.names() {
            self.asked.insert(name.into());
            self.answer(name, None, &mut queued, now);
        }
    }

    fn open_names(&mut self, asked: &Asked<'_>, now: &Published) {
        let mut queued = HashSet::new();
        let dropped: HashSet<&str> = asked.unsubscribed().collect();
        for name in asked.names().filter(|name| !dropped.contains(name)) {
            self.asked.insert(name.into());
            self.answer(name, None, &mut queued, now);
        }
        for name in asked.held.keys().filter(|name| !dropped.contains(name.as_str()) && *name != "*") {
            if self.asked.insert(name.as_str().into()) {
                self.brought += 1;
                self.answer(name, Some(asked.held), &mut queued, now);
            }
        }
        if self.collection != Collection::Authorization && !self.node.is_empty() {
            let node = self.node.clone();
            for name in now.snapshot.on_node(&node) {
                self.queue(name, Some(asked.held), &mut queued, now);
            }
        }
    }

    /// Queues what a name stands for: a service comes with its workloads. What is not there is said, too.
    fn answer(&mut self, name: &str, held: Option<&Held>, queued: &mut HashSet<Arc<str>>, now: &Published) {
        let found = self.resolve(name, now);
        if found.is_empty() {
            self.removed.push_back(name.into());
        }
        for resource in found {
            let is_service = resource.kind == ResourceKind::Service;
            if self.queue(&resource.name, held, queued, now) && is_service {
                self.queue_members(&resource.name, held, queued, now);
            }
        }
    }

    fn queue_members(
        &mut self,
        service: &str,
        held: Option<&Held>,
        queued: &mut HashSet<Arc<str>>,
        now: &Published,
    ) {
        for member in now.snapshot.members(service) {
            self.queue(member, held, queued, now);
        }
    }

    /// Queues a resource, once for a request and not in the version that the client holds. False: it was queued before.
    fn queue(
        &mut self,
        name: &Arc<str>,
        held: Option<&Held>,
        queued: &mut HashSet<Arc<str>>,
        now: &Published,
    ) -> bool {
        let Some(resource) = self.get(name, now) else { return false };
        if !queued.insert(resource.name.clone()) {
            return false;
        }
        if !self.wildcard {
            self.known.insert(resource.name.clone());
        }
        if !held.and_then(|held| held.get(&**name)).is_some_and(|version| is_version(resource, version)) {
            self.owed.push_back(resource.clone());
        }
        true
    }

    fn get<'a>(&self, name: &str, now: &'a Published) -> Option<&'a Arc<Resource>> {
        let found = match self.collection {
            Collection::Authorization => now.snapshot.authorization(name),
            Collection::Address | Collection::Workload => now.snapshot.address(name),
        };
        found.filter(|resource| self.collection.has(resource.kind))
    }

    fn resolve(&self, name: &str, now: &Published) -> Vec<Arc<Resource>> {
        match self.collection {
            Collection::Authorization => self.get(name, now).cloned().into_iter().collect(),
            Collection::Address | Collection::Workload => {
                let names = now.snapshot.names(name);
                names.iter().filter_map(|name| self.get(name, now)).cloned().collect()
            }
        }
    }

    /// Everything from now on, and everything there is.
    fn widen(&mut self) {
        self.wildcard = true;
        self.removals_from = self.position;
        self.position = 0;
        self.known = HashSet::new();
        self.answered = false;
    }

    /// Only what was asked for by name from now on. What else the client holds is its own business.
    fn narrow(&mut self, now: &Published) {
        self.wildcard = false;
        // What it was not sent yet of everything is not what it wants now; what it asked for is in `asked`.
        self.position = self.position.max(self.removals_from);
        let asked = std::mem::take(&mut self.asked);
        self.known = asked.iter().flat_map(|name| self.resolve(name, now)).map(|r| r.name.clone()).collect();
        self.asked = asked;
    }

    fn drop_name(&mut self, name: &str, now: &Published) {
        self.asked.remove(name);
        for resource in self.resolve(name, now) {
            if !self.asked.contains(&resource.name) {
                self.known.remove(&resource.name);
            }
        }
    }
}

/// Versions by name.
pub(crate) type Held = BTreeMap<String, String>;
