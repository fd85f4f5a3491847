//! Misbehaviour to order.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::route::{Route, Target};

/// Calls of one sort, as RBAC names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    verb: String,
    resource: String,
    namespace: Option<String>,
}

impl Call {
    /// A verb (get, list, watch, create, update, patch, delete) on a resource (`pods`, `services/status`); `*` is any.
    #[must_use]
    pub fn new(verb: &str, resource: &str) -> Self {
        Self { verb: verb.to_owned(), resource: resource.to_owned(), namespace: None }
    }

    /// Only those in one namespace.
    #[must_use]
    pub fn within(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Any call.
    #[must_use]
    pub fn any() -> Self {
        Self::new("*", "*")
    }

    /// Reading what is served: `/api`, `/apis` and below.
    #[must_use]
    pub fn discovery() -> Self {
        Self::new("get", "discovery")
    }

    fn is(&self, route: &Route) -> bool {
        let fits = |wanted: &str, is: &str| wanted == "*" || wanted == is;
        let namespace = match &route.target {
            Target::Resource(path) => path.namespace.as_deref(),
            _ => None,
        };
        fits(&self.verb, route.verb)
            && fits(&self.resource, &route.resource())
            && self.namespace.as_deref().is_none_or(|wanted| namespace == Some(wanted))
    }
}

/// What is done instead of answering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A `Status` of this code and reason.
    Status(u16, &'static str),
    /// 403 in RBAC's words.
    Forbidden,
    /// Not JSON at all, with status 200.
    Garbage,
    /// The connection is closed without a word.
    Close,
    /// Nothing, until [`super::KubeApi::heal`] or the end.
    Hang,
    /// The right answer, late.
    Slow(Duration),
    /// The call is done, and the connection is closed before the answer.
    Lost,
}

/// How a watch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// As when its time is over.
    End,
    /// As when the server dies: in the middle.
    Reset,
    /// With an ERROR event, 410 Expired.
    Gone,
    /// With half an event.
    Torn,
}

#[derive(Debug)]
pub(crate) struct Faults {
    rules: Mutex<Vec<(Call, Fault, usize)>>,
    /// Counts how often all was healed, for those who hang.
    healed: tokio::sync::watch::Sender<u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { rules: Mutex::default(), healed: tokio::sync::watch::Sender::new(0) }
    }
}

impl Faults {
    pub(crate) fn add(&self, call: Call, fault: Fault, times: usize) {
        self.rules().push((call, fault, times));
    }

    pub(crate) fn clear(&self) {
        self.rules().clear();
        self.healed.send_modify(|n| *n += 1);
    }

    /// The fault for a call, the oldest first.
    pub(crate) fn take(&self, route: &Route) -> Option<Fault> {
        let mut rules = self.rules();
        let at = rules.iter().position(|(call, _, times)| *times > 0 && call.is(route))?;
        rules[at].2 = rules[at].2.saturating_sub(usize::from(rules[at].2 != usize::MAX));
        Some(rules[at].1.clone())
    }

    /// Waits for [`Faults::clear`].
    pub(crate) async fn healed(&self) {
        let mut healed = self.healed.subscribe();
        let _ = healed.changed().await;
    }

    fn rules(&self) -> MutexGuard<'_, Vec<(Call, Fault, usize)>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
