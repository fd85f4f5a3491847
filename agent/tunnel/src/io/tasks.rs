//! The tasks of one pod on one worker: counted, so that a drain can wait for them, and within reach, so that
//! they can be ended.

use std::cell::RefCell;
use std::rc::Rc;

use slab::Slab;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// A set of running tasks.
#[derive(Default)]
pub(crate) struct Tasks {
    handles: RefCell<Slab<Option<AbortHandle>>>,
    empty: Notify,
}

impl Tasks {
    /// Spawns the task that `make` returns; it holds the guard as long as it runs.
    pub(crate) fn spawn<F>(self: &Rc<Self>, make: impl FnOnce(Running) -> F)
    where
        F: Future<Output = ()> + 'static,
    {
        let key = self.handles.borrow_mut().insert(None);
        let running = Running { tasks: self.clone(), key };
        let handle = tokio::task::spawn_local(make(running)).abort_handle();
        if let Some(place) = self.handles.borrow_mut().get_mut(key) {
            *place = Some(handle);
        }
    }

    /// Ends all tasks at their next await.
    pub(crate) fn abort(&self) {
        let handles: Vec<_> = self.handles.borrow().iter().filter_map(|(_, handle)| handle.clone()).collect();
        for handle in handles {
            handle.abort();
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.handles.borrow().len()
    }

    /// Waits until none is left.
    pub(crate) async fn finished(&self) {
        loop {
            let empty = self.empty.notified();
            if self.count() == 0 {
                return;
            }
            empty.await;
        }
    }
}

/// Held by a running task.
pub(crate) struct Running {
    tasks: Rc<Tasks>,
    key: usize,
}

impl Running {
    /// Ends the task from outside, at its next await.
    pub(crate) fn handle(&self) -> Option<AbortHandle> {
        self.tasks.handles.borrow().get(self.key).cloned().flatten()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.handles.borrow_mut().remove(self.key);
        if self.tasks.count() == 0 {
            self.tasks.empty.notify_waiters();
        }
    }
}
