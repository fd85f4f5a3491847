//! Endpoints that are names: asked for again before their answers are too old, off the threads that serve.
//!
//! An answer holds for its time to live, but for no longer than a minute. A name that DNS says is not there has no
//! addresses; if nobody answers, those of before stay, and the next question comes sooner or later by how often that was.

mod dns;
mod metrics;
mod schedule;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until, timeout};

use super::told::Told;
use crate::configuration::Answer;

pub use dns::Dns;
pub use metrics::NamesMetrics;
use schedule::Schedule;

/// Keeps a feed told of the addresses behind names.
pub struct Names(Told);

/// Whoever can be asked for addresses.
pub trait Resolve: Send + Sync {
    /// The addresses of a name.
    fn resolve<'a>(
        &'a self,
        name: &'a str,
        families: Families,
    ) -> Pin<Box<dyn Future<Output = Found> + Send + 'a>>;
}

/// Which addresses can be reached at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Families {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What is known now.
    pub answer: Answer,
    /// For how long, if it is an answer.
    pub ttl: Duration,
}

impl Default for Families {
    fn default() -> Self {
        Self { v4: true, v6: true }
    }
}

impl Names {
    pub(super) fn new(told: Told) -> Self {
        Self(told)
    }

    /// Asks `resolver` for whatever is wanted. Ends when the feed does, which is never.
    pub async fn keep(self, resolver: Arc<dyn Resolve>, metrics: NamesMetrics) {
        let mut wanted = self.0.with(|told| told.names());
        let mut schedule = Schedule::default();
        let mut asking = FuturesUnordered::new();
        loop {
            schedule.want(&wanted.borrow_and_update(), Instant::now());
            for name in schedule.take_due(Instant::now()) {
                let (resolver, families) = (resolver.clone(), self.0.with(|told| told.families()));
                asking.push(async move {
                    let asked = timeout(PATIENCE, resolver.resolve(&name, families)).await;
                    let late = |_| Found::failed(format!("no answer within {PATIENCE:?}"));
                    let found = asked.unwrap_or_else(late);
                    (name, found)
                });
            }
            let next = schedule.next().unwrap_or_else(|| Instant::now() + FAR);
            let mut alarm = pin!(sleep_until(next));
            tokio::select! {
                biased;
                Some((name, found)) = asking.next() => {
                    metrics.asked(&found.answer);
                    tell(&name, &found.answer);
                    schedule.answered(&name, &found, Instant::now());
                    self.0.with(|told| told.answer(&name, found.answer));
                }
                changed = wanted.changed() => if changed.is_err() { return },
                () = &mut alarm => {}
            }
        }
    }
}

impl Found {
    fn failed(why: String) -> Self {
        Self { answer: Answer::Failed(why), ttl: Duration::ZERO }
    }
}

fn tell(name: &str, answer: &Answer) {
    match answer {
        Answer::Addresses(addresses) => tracing::debug!(name, ?addresses, "the addresses of an endpoint"),
        Answer::None(why) => tracing::warn!(name, why, "an endpoint is not there"),
        Answer::Failed(why) => {
            tracing::warn!(
                name,
                why,
                "the addresses of an endpoint are not known anew; those known before stay"
            );
        }
    }
}

/// How long an answer may take, whatever the resolver itself allows.
const PATIENCE: Duration = Duration::from_secs(20);
const FAR: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests;
