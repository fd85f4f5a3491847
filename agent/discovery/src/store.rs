//! The published picture of the mesh.

use std::sync::Arc;

use arc_swap::ArcSwap;
use weir_model::Directory;

use crate::Metrics;

/// A handle on the current [`Directory`]; clones are handles on the same one. Discovery writes, everybody reads.
#[derive(Clone, Default)]
pub struct Store {
    current: Arc<ArcSwap<Directory>>,
    metrics: Metrics,
}

impl Store {
    /// The picture as it is now. It does not change in the caller's hands.
    pub fn load(&self) -> Arc<Directory> {
        self.current.load_full()
    }

    /// What discovery counts; register it with the process' registry.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn publish(&self, directory: Arc<Directory>) {
        self.metrics.publish(&directory);
        self.current.store(directory);
    }
}
