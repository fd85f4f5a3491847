//! What is counted for DestinationRules where no waypoint is: connections to a port, and endpoints that fail. All workers count
//! together, so a limit is the node's, to the connection. Services of which no rule speaks are not here, and take no lock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use weir_model::{Directory, Ejected, Members, OutlierPolicy, Outliers, ServiceKey, Terms};

use crate::TunnelError;

/// The counts of a node.
#[derive(Default)]
pub struct Limits(ArcSwap<HashMap<Key, Arc<Port>>>);

/// A rule at a port of a service. Another rule counts anew.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    service: ServiceKey,
    port: u16,
    origin: Arc<str>,
}

#[derive(Default)]
struct Port {
    connections: AtomicU32,
    outliers: Mutex<Outliers>,
}

/// One of the connections that a rule counts, as long as it lives.
#[must_use = "what is dropped is not counted"]
pub(crate) struct Permit(Arc<Port>);

impl Limits {
    /// One more connection, if there may be one.
    ///
    /// # Errors
    /// As many as may be are there.
    pub(crate) fn admit(&self, terms: &Terms) -> Result<Option<Permit>, TunnelError> {
        let Some(limit) = terms.policy.max_connections else { return Ok(None) };
        let port = self.port(terms);
        let one_more = |count: u32| (count < limit).then_some(count + 1);
        let counted = port.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        match counted {
            Ok(_) => Ok(Some(Permit(port))),
            Err(_) => Err(TunnelError::TooManyConnections {
                service: terms.service.key.clone(),
                port: terms.port,
                limit,
                origin: terms.policy.origin.clone(),
            }),
        }
    }

    /// Which endpoints failed lately and are to be left out.
    pub(crate) fn left_out(&self, terms: &Terms, policy: &OutlierPolicy, now: Instant) -> Ejected {
        let ports = self.0.load();
        ports.get(&Key::of(terms)).map(|port| port.outliers().ejected(policy, now)).unwrap_or_default()
    }

    /// A connection to the endpoint was made.
    pub(crate) fn succeeded(&self, terms: &Terms, uid: &str) {
        if terms.policy.outlier.is_some()
            && let Some(port) = self.0.load().get(&Key::of(terms))
        {
            port.outliers().succeeded(uid);
        }
    }

    /// A connection to the endpoint could not be made. Answers for how long it is left out, if it is for this failure.
    pub(crate) fn failed(
        &self,
        terms: &Terms,
        uid: &Arc<str>,
        directory: &Directory,
        now: Instant,
    ) -> Option<Duration> {
        let policy = terms.policy.outlier.as_ref()?;
        let members = Endpoints { directory, service: &terms.service.key };
        self.port(terms).outliers().failed(policy, uid, &members, now)
    }

    /// Forgets what no rule of this directory counts any more.
    pub(crate) fn sweep(&self, directory: &Directory) {
        let is_said = |key: &Key| {
            let service = directory.service(&key.service);
            let audiences = service.into_iter().flat_map(|service| &service.audiences);
            let mut ports = audiences.flat_map(|audience| &audience.ports);
            ports.any(|(port, policy)| *port == key.port && policy.origin == key.origin)
        };
        // Whoever holds a connection holds its count, and gives it back there.
        let is_used = |port: &Arc<Port>| port.connections.load(Ordering::Relaxed) > 0;
        if self.0.load().iter().all(|(key, port)| is_used(port) || is_said(key)) {
            return;
        }
        self.0.rcu(|ports| {
            let mut ports = HashMap::clone(ports);
            ports.retain(|key, port| is_used(port) || is_said(key));
            ports
        });
    }

    fn port(&self, terms: &Terms) -> Arc<Port> {
        let key = Key::of(terms);
        if let Some(port) = self.0.load().get(&key) {
            return port.clone();
        }
        let new = Arc::<Port>::default();
        self.0.rcu(|ports| {
            let mut ports = HashMap::clone(ports);
            ports.entry(key.clone()).or_insert_with(|| new.clone());
            ports
        });
        // Another worker may have been faster.
        self.0.load().get(&key).cloned().unwrap_or(new)
    }
}

impl Key {
    fn of(terms: &Terms) -> Self {
        Self { service: terms.service.key.clone(), port: terms.port, origin: terms.policy.origin.clone() }
    }
}

impl Port {
    /// Held for a few instructions, and only where a rule asks for outlier detection.
    fn outliers(&self) -> MutexGuard<'_, Outliers> {
        self.outliers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The endpoints of a service.
struct Endpoints<'a> {
    directory: &'a Directory,
    service: &'a ServiceKey,
}

impl Members for Endpoints<'_> {
    fn count(&self) -> usize {
        self.directory.endpoint_count(self.service)
    }

    fn has(&self, uid: &str) -> bool {
        self.directory.workload(uid).is_some_and(|workload| workload.services.contains_key(self.service))
    }
}

#[cfg(test)]
mod tests;
