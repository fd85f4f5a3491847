//! Circuit breakers: how much at a time a cluster is asked for.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use weir_proto::l7;

/// A limit that is reached: the answer is 503, and no endpoint is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Limit {
    /// `max_connections`.
    #[error("too many connections")]
    Connections,
    /// `max_pending_requests`.
    #[error("too many requests wait for a connection")]
    PendingRequests,
    /// `max_requests`.
    #[error("too many requests at a time")]
    Requests,
    /// `max_retries`.
    #[error("too many retries at a time")]
    Retries,
    /// The retry budget.
    #[error("too many retries for so few requests")]
    RetryBudget,
}

/// The counts of a cluster. They outlive changes of its form.
#[derive(Debug, Default)]
pub struct Breakers {
    counts: [AtomicU32; KINDS],
}

/// One of what is counted, as long as it lives.
#[derive(Debug)]
#[must_use = "what is dropped is not counted"]
pub struct Permit {
    breakers: Arc<Breakers>,
    limit: Limit,
}

/// The limits of a form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits([u32; KINDS]);

impl Breakers {
    /// How many there are.
    pub fn count(&self, limit: Limit) -> u32 {
        self.counts[limit.place()].load(Ordering::Relaxed)
    }

    pub(super) fn acquire(self: &Arc<Self>, limits: &Limits, limit: Limit) -> Result<Permit, Limit> {
        let most = limits.0[limit.place()];
        let one_more = |count: u32| (count < most).then_some(count + 1);
        let count = &self.counts[limit.place()];
        count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).map_err(|_| limit)?;
        Ok(Permit { breakers: Arc::clone(self), limit })
    }
}

impl Limit {
    fn place(self) -> usize {
        match self {
            Limit::Connections => 0,
            Limit::PendingRequests => 1,
            Limit::Requests => 2,
            // A budget takes the place of the limit.
            Limit::Retries | Limit::RetryBudget => 3,
        }
    }
}

impl Limits {
    pub(super) fn compile(form: &l7::ConnectionPool) -> Limits {
        let limits = [form.max_connections, form.max_pending_requests, form.max_requests, form.max_retries];
        Limits(limits.map(|limit| if limit == 0 { u32::MAX } else { limit }))
    }

    /// A budget is there in the place of a fixed number of retries.
    pub(super) fn without_retries(mut self) -> Limits {
        self.0[Limit::Retries.place()] = u32::MAX;
        self
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.breakers.counts[self.limit.place()].fetch_sub(1, Ordering::Relaxed);
    }
}

const KINDS: usize = 4;

#[cfg(test)]
mod tests {
    use Limit::{Connections, PendingRequests, Requests, Retries};
    use proptest::prelude::*;

    use super::*;

    fn limits(limits: [u32; KINDS]) -> Limits {
        Limits::compile(&l7::ConnectionPool {
            max_connections: limits[0],
            max_pending_requests: limits[1],
            max_requests: limits[2],
            max_retries: limits[3],
            ..Default::default()
        })
    }

    #[test]
    fn each_kind_has_its_limit() {
        let (breakers, limits) = (Arc::new(Breakers::default()), limits([1, 2, 3, 4]));
        for (limit, most) in [(Connections, 1), (PendingRequests, 2), (Requests, 3), (Retries, 4)] {
            let permits: Vec<_> = (0..most).map(|_| breakers.acquire(&limits, limit).unwrap()).collect();
            assert_eq!(breakers.acquire(&limits, limit).unwrap_err(), limit);
            drop(permits);
            assert_eq!(breakers.count(limit), 0);
            assert!(breakers.acquire(&limits, limit).is_ok());
        }
    }

    #[test]
    fn zero_is_no_limit() {
        let (breakers, limits) = (Arc::new(Breakers::default()), limits([0; 4]));
        let permits: Vec<_> = (0..1000).map(|_| breakers.acquire(&limits, Requests).unwrap()).collect();
        assert_eq!(breakers.count(Requests), 1000);
        drop(permits);
    }

    proptest! {
        #[test]
        fn counts_are_what_lives(most in 0_u32..4, steps in prop::collection::vec(any::<bool>(), 0..100)) {
            let (breakers, limits) = (Arc::new(Breakers::default()), limits([most; 4]));
            let mut permits = Vec::new();
            for more in steps {
                if !more {
                    permits.pop();
                } else if let Ok(permit) = breakers.acquire(&limits, Requests) {
                    permits.push(permit);
                }
                prop_assert_eq!(breakers.count(Requests) as usize, permits.len());
                prop_assert!(most == 0 || breakers.count(Requests) <= most);
            }
        }
    }
}
