//! Turns for first requests.
//!
//! The first request of a client that comes back names all that it holds, and a whole mesh may come back at once. So
//! there are few turns; and one address has but some of them, or a client that opens streams and says nothing would keep
//! everybody else waiting.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The turns of all streams.
#[derive(Clone)]
pub(super) struct Greetings(Arc<Inner>);

struct Inner {
    all: Arc<Semaphore>,
    most_per_address: usize,
    addresses: Mutex<Addresses>,
}

/// Of addresses that have a turn or wait for one: their turns, and how many want one.
type Addresses = HashMap<Option<IpAddr>, (Arc<Semaphore>, usize)>;

/// A turn, until it is dropped.
pub(super) struct Turn {
    _all: Option<OwnedSemaphorePermit>,
    _own: Option<OwnedSemaphorePermit>,
    _waiting: Waiting,
}

struct Waiting {
    greetings: Greetings,
    address: Option<IpAddr>,
}

impl Greetings {
    pub(super) fn new(turns: usize) -> Self {
        let most_per_address = turns.div_ceil(4);
        Self(Arc::new(Inner {
            all: Arc::new(Semaphore::new(turns)),
            most_per_address,
            addresses: Mutex::default(),
        }))
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self, address: Option<IpAddr>) -> Turn {
        let own = {
            let mut addresses = self.lock();
            let new = || (Arc::new(Semaphore::new(self.0.most_per_address)), 0);
            let (own, wanted) = addresses.entry(address).or_insert_with(new);
            *wanted += 1;
            own.clone()
        };
        let waiting = Waiting { greetings: self.clone(), address };
        // Neither is ever closed.
        let own = own.acquire_owned().await.ok();
        let all = self.0.all.clone().acquire_owned().await.ok();
        Turn { _all: all, _own: own, _waiting: waiting }
    }

    fn lock(&self) -> MutexGuard<'_, Addresses> {
        self.0.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut addresses = self.greetings.lock();
        if let Some((_, wanted)) = addresses.get_mut(&self.address) {
            *wanted -= 1;
            if *wanted == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn an_address_does_not_take_all_turns() {
        let greetings = Greetings::new(8);
        let (bad, good) = (Some("10.0.0.1".parse().unwrap()), Some("10.0.0.2".parse().unwrap()));
        let first = greetings.turn(bad).await;
        let _second = greetings.turn(bad).await;
        let mut third = Box::pin(greetings.turn(bad));
        assert!((&mut third).now_or_never().is_none());
        let other = greetings.turn(good).now_or_never().expect("a turn for the other");
        drop(first);
        assert!(third.now_or_never().is_some());
        drop(other);
        assert_eq!(greetings.lock().len(), 1, "nothing is kept of those that went");
    }
}
