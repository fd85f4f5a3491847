//! Files that somebody is in the middle of writing.
//!
//! Half a list of policies is a good file that says the other half is gone. A file that was written to counts as it was
//! before, until its writer closes it, or has been quiet for so long that he will not go on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind};

/// When each was last written to. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Writers(Arc<Mutex<BTreeMap<PathBuf, Instant>>>);

impl Writers {
    /// What the kernel says.
    pub(super) fn note(&self, event: &Event, now: Instant) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for path in &event.paths {
            match event.kind {
                EventKind::Modify(ModifyKind::Data(_)) => drop(open.insert(path.clone(), now)),
                EventKind::Access(AccessKind::Close(AccessMode::Write))
                | EventKind::Modify(ModifyKind::Name(_))
                | EventKind::Remove(_) => drop(open.remove(path)),
                _ => {}
            }
        }
    }

    /// Those that are to be left alone.
    pub(super) fn held(&self, now: Instant) -> Vec<PathBuf> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, since| now.saturating_duration_since(*since) < PATIENCE);
        open.keys().cloned().collect()
    }
}

/// With a writer who holds a file open and says nothing.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, RemoveKind, RenameMode};
    use rstest::rstest;

    use super::*;

    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));

    #[rstest]
    #[case::written(&[WRITTEN], 0, true)]
    #[case::for_long(&[WRITTEN], 5000, false)]
    #[case::closed(&[WRITTEN, EventKind::Access(AccessKind::Close(AccessMode::Write))], 0, false)]
    #[case::read(&[WRITTEN, EventKind::Access(AccessKind::Close(AccessMode::Read))], 0, true)]
    #[case::renamed(&[WRITTEN, EventKind::Modify(ModifyKind::Name(RenameMode::To))], 0, false)]
    #[case::gone(&[WRITTEN, EventKind::Remove(RemoveKind::File)], 0, false)]
    #[case::linked(&[EventKind::Create(CreateKind::File)], 0, false)]
    fn who_writes_is_left_alone(#[case] events: &[EventKind], #[case] later: u64, #[case] held: bool) {
        let (writers, start) = (Writers::default(), Instant::now());
        for kind in events {
            writers.note(&Event::new(*kind).add_path("/mesh/a.yaml".into()), start);
        }
        let found = writers.held(start + Duration::from_millis(later));
        assert_eq!(found, held.then(|| PathBuf::from("/mesh/a.yaml")).into_iter().collect::<Vec<_>>());
    }
}
