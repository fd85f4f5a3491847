//! What strangers may cost.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Limits of the port.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time; one for every agent and service, and some.
    pub connections: usize,
    /// Connections at a time from one address that have not proved who they are. Agents
    /// of many nodes may come from one address, where addresses are translated.
    pub unproven_per_address: usize,
    /// Connections taken in a second; the others wait in the kernel's queue.
    pub accepts_per_second: u32,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a connection may stay without a request that was let through.
    pub unproven: Duration,
    /// Requests that may be refused on a connection on which none was let through.
    pub refusals: u32,
    /// Streams at a time on one connection.
    pub streams: u32,
    /// Size of the headers of a request, in bytes.
    pub headers: u32,
    /// How long connections have to end when the port closes.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            unproven_per_address: 1024,
            accepts_per_second: 1000,
            handshake: Duration::from_secs(10),
            unproven: Duration::from_secs(20),
            refusals: 64,
            streams: 256,
            headers: 32 << 10,
            drain: Duration::from_secs(5),
        }
    }
}

/// Counts what has not proved itself, by address.
#[derive(Clone, Default)]
pub(super) struct Unproven(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them, until it is dropped.
pub(super) struct Place {
    unproven: Unproven,
    address: IpAddr,
}

impl Unproven {
    /// A place for one more of this address, if it has not too many.
    pub(super) fn enter(&self, address: IpAddr, most: usize) -> Option<Place> {
        let address = address.to_canonical();
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place { unproven: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.unproven.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_no_more() {
        let unproven = Unproven::default();
        let here = "10.0.0.1".parse().unwrap();
        let mapped = "::ffff:10.0.0.1".parse().unwrap();
        let first = unproven.enter(here, 2).unwrap();
        let _second = unproven.enter(mapped, 2).unwrap();
        assert!(unproven.enter(here, 2).is_none());
        assert!(unproven.enter("10.0.0.2".parse().unwrap(), 2).is_some());
        drop(first);
        assert!(unproven.enter(here, 2).is_some());
        assert_eq!(unproven.0.lock().unwrap().len(), 1, "nothing is kept of those that went");
    }
}
