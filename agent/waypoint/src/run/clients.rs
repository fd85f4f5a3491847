//! Clients whose labels may be asked for: what is known of them, and whose have to be asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{Notify, watch};

use crate::route::PodLabels;

/// Everybody who was seen and is not forgotten.
#[derive(Default)]
pub(super) struct Clients {
    known: Mutex<HashMap<Arc<str>, Weak<PodLabels>>>,
    /// Rules ask for labels.
    needed: AtomicBool,
    /// There is somebody new, while they do; or the waypoint itself.
    news: Notify,
    /// Somebody's have become known.
    told: watch::Sender<()>,
}

impl Clients {
    /// The labels of a workload. They are asked for, if anything asks for labels, as long as somebody holds them.
    pub(super) fn labels(&self, uid: &Arc<str>) -> Arc<PodLabels> {
        let mut known = self.lock();
        if let Some(labels) = known.get(uid).and_then(Weak::upgrade) {
            return labels;
        }
        if known.len() == known.capacity() {
            known.retain(|_, labels| labels.strong_count() > 0);
        }
        let labels = Arc::<PodLabels>::default();
        known.insert(uid.clone(), Arc::downgrade(&labels));
        drop(known);
        if self.needed.load(Ordering::Acquire) {
            self.news.notify_one();
        }
        labels
    }

    /// Whose labels are wanted, if rules ask for labels.
    pub(super) fn wanted(&self, needed: bool) -> BTreeSet<String> {
        self.needed.store(needed, Ordering::Release);
        let known = self.lock();
        let held = known.iter().filter(|(_, labels)| needed && labels.strong_count() > 0);
        held.map(|(uid, _)| uid.to_string()).collect()
    }

    /// What the labels of a workload are.
    pub(super) fn tell(&self, uid: &str, labels: BTreeMap<String, String>) {
        if let Some(known) = self.lock().get(uid).and_then(Weak::upgrade) {
            known.set(labels);
        }
        self.told.send_replace(());
    }

    /// Something is wanted that was not.
    pub(super) fn notify(&self) {
        self.news.notify_one();
    }

    /// Until somebody's labels have to be asked for.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// To hear of labels that have become known.
    pub(super) fn told(&self) -> watch::Receiver<()> {
        self.told.subscribe()
    }

    /// A panic leaves it whole: each change is one call.
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Weak<PodLabels>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
