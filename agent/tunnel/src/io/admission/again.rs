//! Asks again for the connections that are open.
//!
//! A worker has thousands, and the mesh changes all the time: a change that is neither of policy nor of the destination
//! costs a look at each destination. Where connections must be asked for, it is a few at a time, each time of the newest
//! directory, so that one that came in under a later policy is never judged by an earlier one.

use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use weir_model::{Directory, Workload};

use super::{Admissions, Group};
use crate::TunnelError;
use crate::io::context::Context;

/// Asks again after each change, until the worker or the source of changes is gone.
pub(crate) async fn watch(context: Weak<Context>, mut changes: watch::Receiver<()>) {
    let (mut asked, mut owed) = (Instant::now(), false);
    loop {
        tokio::select! {
            changed = changes.changed() => if changed.is_err() {
                return;
            },
            () = sleep_until(asked + SOURCES), if owed => {}
        }
        let Some(context) = context.upgrade() else {
            return;
        };
        let sources = asked.elapsed() >= SOURCES;
        again(&context, sources).await;
        owed = !sources;
        if sources {
            asked = Instant::now();
        }
    }
}

/// Asks for all connections whose destination or policies changed; with `sources`, for the others whether their source
/// is still who it was.
async fn again(context: &Context, sources: bool) {
    for (uid, group) in context.admissions.groups() {
        let directory = context.directory();
        // Not in the mesh any more: its listeners and connections end with the pod, not with its name.
        let Some(workload) = directory.workload(&uid) else {
            continue;
        };
        let questions = match group.is_stale(&directory, workload) {
            true => Questions::All,
            false if sources => Questions::Source,
            false => continue,
        };
        let mut place = 0;
        while let Some(next) = group.ask(context, &uid, place, questions) {
            place = next;
            tokio::task::yield_now().await;
        }
    }
}

#[derive(Clone, Copy)]
enum Questions {
    All,
    Source,
}

impl Admissions {
    /// The groups with somebody in them; the others are forgotten.
    fn groups(&self) -> Vec<(Arc<str>, Rc<Group>)> {
        let mut groups = self.0.borrow_mut();
        groups.retain(|_, group| !group.entries.borrow().is_empty());
        groups.iter().map(|(uid, group)| (uid.clone(), group.clone())).collect()
    }
}

impl Group {
    /// Whether its connections must be asked for because of this directory; they are taken to be from now on. Who comes
    /// in meanwhile asks this directory or a later one.
    fn is_stale(&self, directory: &Directory, workload: &Arc<Workload>) -> bool {
        let mut asked = self.asked.borrow_mut();
        let same = asked.0 == directory.policy_revision() && Arc::ptr_eq(&asked.1, workload);
        *asked = (directory.policy_revision(), workload.clone());
        !same
    }

    /// Asks for the connections from `place` on, a batch of them. Returns the place of the next batch.
    fn ask(&self, context: &Context, uid: &str, place: usize, questions: Questions) -> Option<usize> {
        let directory = context.directory();
        let workload = directory.workload(uid)?;
        let entries = self.entries.borrow();
        let end = entries.capacity().min(place + BATCH);
        for (_, entry) in (place..end).filter_map(|key| Some((key, entries.get(key)?))) {
            let verdict = match questions {
                Questions::All => entry.visitor.ask(&directory, workload),
                Questions::Source => entry.visitor.check_source(&directory, workload),
            };
            if let Err(error) = verdict {
                entry.end(error);
            }
        }
        (end < entries.capacity()).then_some(end)
    }
}

impl super::Entry {
    /// The task is dropped at its next turn; its connection then reports this as its end.
    fn end(&self, why: TunnelError) {
        self.ended.set(Some(Box::new(why)));
        self.task.abort();
    }
}

/// Connections that are asked for before others get their turn.
const BATCH: usize = 64;
/// How often, at most, the sources of all connections are looked up while policy stays the same: every new pod is a
/// change, and hardly ever one of the pods that are connected.
const SOURCES: Duration = Duration::from_secs(1);
