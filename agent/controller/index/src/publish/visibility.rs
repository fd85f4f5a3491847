//! Who may see a service entry.

use weir_resources::ServiceEntry;

/// What of `spec.exportTo` the wire can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// Everybody.
    Public,
    /// Its own namespace.
    Namespace,
    /// Some namespaces, which the wire cannot say: its own sees it.
    Narrowed,
    /// Nobody.
    Nowhere,
}

impl Visibility {
    pub(crate) fn is_published(self) -> bool {
        self != Self::Nowhere
    }

    pub(crate) fn is_private(self) -> bool {
        matches!(self, Self::Namespace | Self::Narrowed)
    }
}

/// Who may see an entry.
pub(crate) fn visibility(entry: &ServiceEntry) -> Visibility {
    let own = |to: &str| to == "." || to == &*entry.meta.namespace;
    let mut to = entry.export_to.iter();
    if entry.export_to.is_empty() || to.any(|to| &**to == "*") {
        Visibility::Public
    } else if entry.export_to.iter().all(|to| &**to == "~") {
        Visibility::Nowhere
    } else if entry.export_to.iter().all(|to| own(to) || &**to == "~") {
        Visibility::Namespace
    } else {
        Visibility::Narrowed
    }
}
