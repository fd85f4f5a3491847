//! What is to be written: the newest wish per object, in the order of the first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use weir_resources::Key;

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
    /// Counts `clear`s, so that what was taken before is not put back after.
    epoch: u64,
    taken_in: u64,
}

impl Queue {
    pub(super) fn push(&self, patch: StatusPatch) {
        let mut inner = self.inner();
        if inner.wishes.insert(patch.key.clone(), patch.clone()).is_none() {
            inner.order.push_back(patch.key);
        }
        self.filled.notify_one();
    }

    /// Takes back one that could not be written, unless there is a newer wish.
    pub(super) fn put_back(&self, patch: StatusPatch) {
        let mut inner = self.inner();
        if inner.epoch == inner.taken_in && !inner.wishes.contains_key(&patch.key) {
            inner.order.push_front(patch.key.clone());
            inner.wishes.insert(patch.key.clone(), patch);
            self.filled.notify_one();
        }
    }

    pub(super) fn clear(&self) {
        let mut inner = self.inner();
        inner.wishes.clear();
        inner.order.clear();
        inner.epoch += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.inner().wishes.len()
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

#[cfg(test)]
mod tests {
    use weir_resources::Kind;

    use super::*;

    fn patch(name: &str, generation: i64) -> StatusPatch {
        let key = Key::new(Kind::Service, "n", name);
        StatusPatch { key, generation, conditions: Vec::new(), remove: Vec::new(), addresses: None }
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
}
