//! How each kind fares.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use weir_resources::Kind;

/// What was read of each kind, for status pages. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<Kind, KindHealth>>>);

/// How the reading of a kind fares, and fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindHealth {
    /// How it fares.
    pub state: KindState,
    /// Since when.
    pub since: SystemTime,
    /// The last error, and when it was; it may be over.
    pub last_error: Option<(String, SystemTime)>,
    /// How many errors there were.
    pub errors: u64,
}

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

impl KindState {
    /// One word for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Listing => "listing",
            Self::Synced => "synced",
            Self::Absent => "absent",
            Self::Forbidden(_) => "forbidden",
            Self::Failing(_) => "failing",
        }
    }

    /// Whether what is known of the kind is what the API has.
    #[must_use]
    pub fn is_well(&self) -> bool {
        matches!(self, Self::Synced | Self::Absent)
    }

    fn error(&self) -> Option<&str> {
        match self {
            Self::Forbidden(why) | Self::Failing(why) => Some(why),
            Self::Listing | Self::Synced | Self::Absent => None,
        }
    }
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
        self.lock().iter().map(|(kind, health)| (*kind, health.state.clone())).collect()
    }

    /// All kinds that were begun, with what happened to them.
    #[must_use]
    pub fn details(&self) -> BTreeMap<Kind, KindHealth> {
        self.lock().clone()
    }

    /// Sets the state of a kind, and logs it if it is another one.
    pub(super) fn set(&self, kind: Kind, state: KindState) {
        let now = SystemTime::now();
        let mut all = self.lock();
        let is_news = |known: &KindHealth| known.state != state || state.error().is_some();
        if !all.get(&kind).is_none_or(is_news) {
            // As after nearly every event.
            return;
        }
        let before = all.get(&kind).cloned();
        let same = before.as_ref().is_some_and(|before| before.state == state);
        let error = state.error().map(|why| (why.to_owned(), now));
        let health = KindHealth {
            // The words of an error may differ from try to try, and it is one failure.
            since: before.as_ref().filter(|b| b.state.name() == state.name()).map_or(now, |b| b.since),
            errors: before.as_ref().map_or(0, |b| b.errors) + u64::from(error.is_some()),
            last_error: error.or_else(|| before.and_then(|b| b.last_error)),
            state: state.clone(),
        };
        all.insert(kind, health);
        drop(all);
        if same {
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
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Kind, KindHealth>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_remembered_when_it_is_over() {
        let health = Health::default();
        health.set(Kind::Pod, KindState::Listing);
        health.set(Kind::Pod, KindState::Failing("one".into()));
        let since = health.details()[&Kind::Pod].since;
        health.set(Kind::Pod, KindState::Failing("two".into()));
        let failing = health.details().remove(&Kind::Pod).unwrap();
        assert_eq!((failing.since, failing.errors), (since, 2));
        health.set(Kind::Pod, KindState::Synced);
        health.set(Kind::Pod, KindState::Synced);
        let synced = health.details().remove(&Kind::Pod).unwrap();
        assert!(synced.state.is_well() && synced.since >= since);
        assert_eq!(synced.last_error.map(|(why, _)| why).as_deref(), Some("two"));
        assert_eq!(synced.errors, 2);
    }
}
