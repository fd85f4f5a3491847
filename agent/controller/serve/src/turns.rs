//! Turns for what is dear: first requests and first responses, which take memory, and questions about tokens.
//!
//! The first request of a client that comes back names all that it holds, the first response is a whole mesh for some, and
//! all clients may come at once. So there are few turns; and one address has but some of them, or a client that opens
//! streams and says nothing, or reads nothing, would keep everybody else waiting. A stranger with tokens that nobody gave
//! him would do the same to whoever must be asked about them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// The turns of all streams.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Inner>);

struct Inner {
    all: Arc<Semaphore>,
    most_per_address: usize,
    addresses: Mutex<Addresses>,
}

/// Of addresses that have a turn or wait for one: their turns, and how many want one.
type Addresses = HashMap<Option<IpAddr>, (Arc<Semaphore>, usize)>;

/// A turn, until it is dropped.
pub(crate) struct Turn {
    _all: Option<OwnedSemaphorePermit>,
    _own: Option<OwnedSemaphorePermit>,
    _waiting: Waiting,
}

struct Waiting {
    turns: Turns,
    address: Option<IpAddr>,
}

impl Turns {
    pub(crate) fn new(turns: usize) -> Self {
        let most_per_address = turns.div_ceil(4);
        Self(Arc::new(Inner {
            all: Arc::new(Semaphore::new(turns)),
            most_per_address,
            addresses: Mutex::default(),
        }))
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self, address: Option<IpAddr>) -> Turn {
        let own = {
            let mut addresses = self.lock();
            let new = || (Arc::new(Semaphore::new(self.0.most_per_address)), 0);
            let (own, wanted) = addresses.entry(address).or_insert_with(new);
            *wanted += 1;
            own.clone()
        };
        let waiting = Waiting { turns: self.clone(), address };
        // Neither is ever closed.
        let own = own.acquire_owned().await.ok();
        let all = self.0.all.clone().acquire_owned().await.ok();
        Turn { _all: all, _own: own, _waiting: waiting }
    }

    /// Waits for a turn, which is over when what is given is dropped, or else after `most`.
    pub(crate) async fn lent(&self, address: Option<IpAddr>, most: Duration) -> oneshot::Sender<()> {
        let turn = self.turn(address).await;
        let (over, is_over) = oneshot::channel();
        tokio::spawn(async move {
            let _ = tokio::time::timeout(most, is_over).await;
            drop(turn);
        });
        over
    }

    fn lock(&self) -> MutexGuard<'_, Addresses> {
        self.0.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut addresses = self.turns.lock();
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
        let turns = Turns::new(8);
        let (bad, good) = (Some("10.0.0.1".parse().unwrap()), Some("10.0.0.2".parse().unwrap()));
        let first = turns.turn(bad).await;
        let _second = turns.turn(bad).await;
        let mut third = Box::pin(turns.turn(bad));
        assert!((&mut third).now_or_never().is_none());
        let other = turns.turn(good).now_or_never().expect("a turn for the other");
        drop(first);
        assert!(third.now_or_never().is_some());
        drop(other);
        assert_eq!(turns.lock().len(), 1, "nothing is kept of those that went");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_lent_comes_back() {
        let (turns, long) = (Turns::new(1), Duration::from_secs(10));
        drop(turns.lent(None, long).await);
        let begun = tokio::time::Instant::now();
        let kept = turns.lent(None, long).await;
        assert_eq!(begun.elapsed(), Duration::ZERO, "it was given back");
        let _next = turns.lent(None, long).await;
        assert_eq!(begun.elapsed().as_secs(), long.as_secs(), "it was taken back");
        drop(kept);
    }
}
