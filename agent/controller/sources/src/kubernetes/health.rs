//! How each kind fares.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use weir_resources::Kind;

/// What was read of each kind, for status pages. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<Kind, KindState>>>);

/// How the reading of a kind fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KindState {
    /// The first list is being read.
    Listing,
    /// It is known as the API has it.
    Synced,
    /// The API does not serve it (its CRD is not installed), so there is none.
    Absent,
    /// We may not read it; what the API said. What was known of it stays.
    Forbidden(String),
    /// It cannot be read at present. What was known of it stays.
    Failing(String),
}

impl fmt::Display for KindState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listing => f.write_str("listing"),
            Self::Synced => f.write_str("synced"),
            Self::Absent => f.write_str("not served by the API"),
            Self::Forbidden(why) => write!(f, "forbidden: {why}"),
            Self::Failing(why) => write!(f, "failing: {why}"),
        }
    }
}

impl Health {
    /// All kinds that were begun.
    #[must_use]
    pub fn report(&self) -> BTreeMap<Kind, KindState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the state of a kind, and logs it if it is another one.
    pub(super) fn set(&self, kind: Kind, state: KindState) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.get(&kind) == Some(&state) {
            return;
        }
        let name = kind.name();
        match &state {
            KindState::Forbidden(_) => tracing::error!(
                kind = name,
                "{state}; grant list and watch on {} in API group {:?}; other kinds go on",
                kind.plural(),
                kind.group()
            ),
            KindState::Failing(_) => tracing::warn!(kind = name, "{state}"),
            _ => tracing::info!(kind = name, "{state}"),
        }
        all.insert(kind, state);
    }
}
