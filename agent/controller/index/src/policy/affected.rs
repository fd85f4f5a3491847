//! Whom a change of a policy concerns.

use std::sync::Arc;

use weir_resources::Labels;

/// The workloads whose policy keys must be asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Affected {
    /// None.
    Nothing,
    /// Those of a namespace that the selector before or the one after selects. An empty one selects all.
    Namespace(Arc<str>, Labels, Labels),
    /// All.
    Everything,
}

impl Affected {
    /// All of a namespace.
    pub(super) fn all_of(namespace: &Arc<str>) -> Self {
        Self::Namespace(namespace.clone(), Labels::default(), Labels::default())
    }

    /// Those that are selected before or after; `None` selects nobody.
    pub(super) fn selected(namespace: &Arc<str>, [before, after]: [Option<&Labels>; 2]) -> Self {
        let Some(one) = before.or(after) else { return Self::Nothing };
        let labels = |side: Option<&Labels>| side.unwrap_or(one).clone();
        Self::Namespace(namespace.clone(), labels(before), labels(after))
    }
}
