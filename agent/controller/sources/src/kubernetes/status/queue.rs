//! What is to be written: the newest wish per object, in the order of the first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use weir_resources::{Key, Kind};

use super::StatusPatch;

#[derive(Debug, Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    wishes: HashMap<Key, StatusPatch>,
    order: VecDeque<Key>,
    /// Wishes that nobody can fulfil at present.
    parked: HashMap<Key, StatusPatch>,
    /// Counts `clear`s, so that what was taken before is not put back after.
    epoch: u64,
    taken_in: u64,
}

impl Queue {
    pub(super) fn push(&self, patch: StatusPatch) {
        let mut inner = self.inner();
        inner.parked.remove(&patch.key);
        if inner.wishes.insert(patch.key.clone(), patch.clone()).is_none() {
            inner.order.push_back(patch.key);
        }
        self.filled.notify_one();
    }

    /// Takes back one that could not be written, unless there is a newer wish. It comes after all others: what keeps it
    /// from being written need not keep them.
    pub(super) fn put_back(&self, patch: StatusPatch) {
        let mut inner = self.inner();
        if inner.is_wanted(&patch.key) {
            inner.order.push_back(patch.key.clone());
            inner.wishes.insert(patch.key.clone(), patch);
            self.filled.notify_one();
        }
    }

    /// Keeps one until [`Queue::unpark`], unless there is a newer wish.
    pub(super) fn park(&self, patch: StatusPatch) {
        let mut inner = self.inner();
        if inner.is_wanted(&patch.key) {
            inner.parked.insert(patch.key.clone(), patch);
        }
    }

    /// Those of a kind are worth a try again.
    pub(super) fn unpark(&self, kind: Kind) {
        let mut inner = self.inner();
        let parked: Vec<_> = inner.parked.extract_if(|key, _| key.kind == kind).collect();
        for (key, patch) in parked {
            inner.order.push_back(key.clone());
            inner.wishes.insert(key, patch);
        }
        self.filled.notify_one();
    }

    pub(super) fn clear(&self) {
        let mut inner = self.inner();
        inner.parked.clear();
        inner.wishes.clear();
        inner.order.clear();
        inner.epoch += 1;
    }

    pub(super) fn len(&self) -> usize {
        let inner = self.inner();
        inner.wishes.len() + inner.parked.len()
    }

    pub(super) async fn pop(&self) -> StatusPatch {
        loop {
            if let Some(patch) = self.take() {
                return patch;
            }
            self.filled.notified().await;
        }
    }

    fn take(&self) -> Option<StatusPatch> {
        let mut inner = self.inner();
        let key = inner.order.pop_front()?;
        inner.taken_in = inner.epoch;
        inner.wishes.remove(&key)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Whether what was taken last is still what is wished.
    fn is_wanted(&self, key: &Key) -> bool {
        self.epoch == self.taken_in && !self.wishes.contains_key(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(name: &str, generation: i64) -> StatusPatch {
        let key = Key::new(Kind::Service, "n", name);
        StatusPatch {
            key,
            generation,
            conditions: Vec::new(),
            remove: Vec::new(),
            addresses: None,
            parents: None,
            gateway: None,
        }
    }

    #[test]
    fn the_newest_wish_counts() {
        let queue = Queue::default();
        queue.push(patch("a", 1));
        queue.push(patch("b", 1));
        queue.push(patch("a", 2));
        assert_eq!(queue.take(), Some(patch("a", 2)));
        assert_eq!(queue.take(), Some(patch("b", 1)));
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn what_failed_comes_again_unless_it_is_outdated() {
        let queue = Queue::default();
        queue.push(patch("a", 1));
        let taken = queue.take().unwrap();
        queue.put_back(taken);
        let taken = queue.take().unwrap();
        queue.push(patch("a", 2));
        queue.put_back(taken);
        assert_eq!(queue.take(), Some(patch("a", 2)));
        queue.push(patch("a", 3));
        let taken = queue.take().unwrap();
        queue.clear();
        queue.put_back(taken);
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn what_is_parked_waits_for_its_kind_and_gives_way_to_a_newer_wish() {
        let queue = Queue::default();
        for name in ["a", "b"] {
            queue.push(patch(name, 1));
            let taken = queue.take().unwrap();
            queue.park(taken);
        }
        queue.push(patch("a", 2));
        assert_eq!((queue.take(), queue.len()), (Some(patch("a", 2)), 1));
        queue.unpark(Kind::Pod);
        assert_eq!(queue.take(), None);
        queue.unpark(Kind::Service);
        assert_eq!(queue.take(), Some(patch("b", 1)));
    }
}
