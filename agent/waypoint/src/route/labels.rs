//! Labels of a client's pod, which may not be known yet and may change.

use std::collections::BTreeMap;

use arc_swap::ArcSwapOption;

/// Labels, however they are kept.
pub trait Labels {
    /// Whether a label is there with this value; not, if nobody knows.
    fn has(&self, name: &str, value: &str) -> bool;

    /// Whether anybody knows. Where rules ask for labels, a request of whom nobody knows them is refused: that a rule
    /// does not match may let in whom it would have kept out.
    fn are_known(&self) -> bool {
        true
    }
}

/// Of a pod, as they are now. The default is one of whom nothing is known.
#[derive(Debug, Default)]
pub struct PodLabels(ArcSwapOption<BTreeMap<String, String>>);

impl PodLabels {
    /// These are known.
    pub fn set(&self, labels: BTreeMap<String, String>) {
        self.0.store(Some(labels.into()));
    }
}

impl Labels for PodLabels {
    fn has(&self, name: &str, value: &str) -> bool {
        self.0.load().as_ref().is_some_and(|labels| labels.has(name, value))
    }

    fn are_known(&self) -> bool {
        self.0.load().is_some()
    }
}

impl Labels for () {
    fn has(&self, _: &str, _: &str) -> bool {
        false
    }

    fn are_known(&self) -> bool {
        false
    }
}

impl Labels for BTreeMap<String, String> {
    fn has(&self, name: &str, value: &str) -> bool {
        self.get(name).is_some_and(|known| known == value)
    }
}
