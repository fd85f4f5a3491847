//! The published picture of the mesh.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use weir_model::Directory;

use crate::Metrics;

/// A handle on the current [`Directory`]; clones are handles on the same one. Discovery writes, everybody reads.
#[derive(Clone, Default)]
pub struct Store {
    current: Arc<ArcSwap<Directory>>,
    changed: watch::Sender<()>,
    metrics: Metrics,
}

impl Store {
    /// The picture as it is now. It does not change in the caller's hands.
    pub fn load(&self) -> Arc<Directory> {
        self.current.load_full()
    }

    /// Says when there is another picture. It may be the same as before, and several changes may be said at once.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// What discovery counts; register it with the process' registry.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Puts another picture in force. For sources.
    pub fn publish(&self, directory: Arc<Directory>) {
        self.metrics.publish(&directory);
        self.current.store(directory);
        // After the picture: who hears of it finds it, or a later one.
        self.changed.send_replace(());
    }
}
