//! The newest wish per pod, in the order of the first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::PodPatch;

type Name = (String, String);

#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    filled: Notify,
}

#[derive(Default)]
struct Inner {
    wishes: HashMap<Name, PodPatch>,
    order: VecDeque<Name>,
    said: String,
}

impl Queue {
    pub(super) fn push(&self, patch: PodPatch) {
        let mut inner = self.inner();
        let name = name(&patch);
        if inner.wishes.insert(name.clone(), patch).is_none() {
            inner.order.push_back(name);
        }
        self.filled.notify_one();
    }

    /// Takes back one that could not be written, unless there is a newer one.
    pub(super) fn put_back(&self, patch: PodPatch) {
        let is_newest = !self.inner().wishes.contains_key(&name(&patch));
        if is_newest {
            self.push(patch);
        }
    }

    pub(super) async fn pop(&self) -> PodPatch {
        loop {
            let filled = self.filled.notified();
            if let Some(patch) = self.inner().pop() {
                // Another may be there for another worker.
                self.filled.notify_one();
                return patch;
            }
            filled.await;
        }
    }

    /// Whether this is something else than what was said last.
    pub(super) fn is_news(&self, text: &str) -> bool {
        let mut inner = self.inner();
        let is_news = inner.said != text;
        text.clone_into(&mut inner.said);
        is_news
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn pop(&mut self) -> Option<PodPatch> {
        let name = self.order.pop_front()?;
        self.wishes.remove(&name)
    }
}

fn name(patch: &PodPatch) -> Name {
    (patch.namespace.clone(), patch.name.clone())
}
