//! Asks again for the connections that are open.
//!
//! A worker has thousands, and the mesh changes all the time: a change that is neither of policy nor of the destination
//! costs a look at each destination. Where connections must be asked for, it is a few at a time, each time of the newest
//! directory, so that one that came in under a later policy is never judged by an earlier one.

use std::rc::{Rc, Weak};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use weir_model::{Denial, Directory, Workload};

use super::{Admissions, Entry, Group};
use crate::TunnelError;
use crate::io::context::Context;

/// Asks again after each change, until the worker or the source of changes is gone.
pub(crate) async fn watch(context: Weak<Context>, mut changes: watch::Receiver<()>) {
    let mut sources = Instant::now();
    let mut next: Option<Instant> = None;
    loop {
        tokio::select! {
            changed = changes.changed() => if changed.is_err() {
                return;
            },
            () = sleep_until(next.unwrap_or(sources)), if next.is_some() => {}
        }
        let Some(context) = context.upgrade() else {
            return;
        };
        let (now, interval) = (Instant::now(), context.config().source_interval);
        let due = now >= sources + interval;
        if due {
            sources = now;
        }
        let missing = again(&context, due).await;
        // A source that changed since the last look has its turn later.
        let owed = (!due).then_some(sources + interval);
        next = owed.into_iter().chain(missing).min();
    }
}

/// Asks for all connections whose destination or policies changed; with `sources`, for the others whether their source
/// is still who it was. Returns when it must be asked again although nothing changes.
async fn again(context: &Context, sources: bool) -> Option<Instant> {
    let mut next = None;
    for (uid, group) in context.admissions.groups() {
        let directory = context.directory();
        // Not in the mesh any more: its listeners and connections end with the pod, not with its name.
        let Some(workload) = directory.workload(&uid) else {
            continue;
        };
        let (stale, patience) =
            (group.is_stale(&directory, workload), group.patience(context, &directory, workload));
        let questions = match patience {
            Patience::Until(end) => {
                next = Some(next.map_or(end, |other| end.min(other)));
                Questions::Known
            }
            Patience::Over => Questions::All,
            // Should one be missing from the next directory, that one's news says so.
            Patience::NotNeeded if stale => Questions::Known,
            Patience::NotNeeded if sources => Questions::Source,
            Patience::NotNeeded => continue,
        };
        let mut place = 0;
        while let Some(next) = group.ask(context, &uid, place, questions) {
            place = next;
            tokio::task::yield_now().await;
        }
    }
    next
}

#[derive(Clone, Copy)]
enum Questions {
    /// May it come in?
    All,
    /// Does anything that is known forbid it?
    Known,
    /// Is the source who it was?
    Source,
}

/// Whether to wait for a policy that is not known.
enum Patience {
    NotNeeded,
    Until(Instant),
    Over,
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

    fn patience(&self, context: &Context, directory: &Directory, workload: &Workload) -> Patience {
        if directory.missing_policy(workload).is_none() {
            self.missing.set(None);
            return Patience::NotNeeded;
        }
        let now = Instant::now();
        let since = self.missing.get().unwrap_or(now);
        self.missing.set(Some(since));
        let end = since + context.config().missing_policy_grace;
        if now < end { Patience::Until(end) } else { Patience::Over }
    }

    /// Asks for the connections from `place` on, a batch of them. Returns the place of the next batch.
    fn ask(&self, context: &Context, uid: &str, place: usize, questions: Questions) -> Option<usize> {
        let directory = context.directory();
        let workload = directory.workload(uid)?;
        let entries = self.entries.borrow();
        let end = entries.capacity().min(place + BATCH);
        for (_, entry) in (place..end).filter_map(|key| Some((key, entries.get(key)?))) {
            entry.ask(&directory, workload, questions);
        }
        (end < entries.capacity()).then_some(end)
    }
}

impl Entry {
    /// Who may not stay is ended: the task is dropped at its next turn, and its connection reports why.
    fn ask(&self, directory: &Directory, workload: &Workload, questions: Questions) {
        let verdict = match questions {
            Questions::Source => self.visitor.check_source(directory, workload),
            Questions::All | Questions::Known => self.visitor.ask(directory, workload),
        };
        match (verdict, questions) {
            (Ok(()), _) | (Err(TunnelError::Denied(Denial::UnknownPolicy { .. })), Questions::Known) => {}
            (Err(why), _) => {
                self.ended.set(Some(Box::new(why)));
                self.task.abort();
            }
        }
    }
}

/// Connections that are asked for before others get their turn.
const BATCH: usize = 64;
