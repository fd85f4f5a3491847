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
