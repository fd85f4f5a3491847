//! Many agents at once.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::agent::{Agent, News, What};

/// Agents that are connected. They go when this is dropped.
pub(crate) struct Crowd {
    tasks: JoinSet<()>,
    sender: mpsc::UnboundedSender<News>,
    news: mpsc::UnboundedReceiver<News>,
}

/// How agents came to know what they asked for.
#[derive(Debug, Default)]
pub(crate) struct Synced {
    /// Of each agent, from the moment when all began.
    pub(crate) took: Vec<Duration>,
    /// Of the first agent that was done.
    pub(crate) resources: usize,
    /// Of all agents, messages without framing.
    pub(crate) bytes: usize,
}

/// How a change came to the agents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    /// The first agent that had it.
    pub(crate) first: Duration,
    /// The last one.
    pub(crate) last: Duration,
    /// Bytes of all messages, without framing.
    pub(crate) bytes: usize,
}

impl Crowd {
    pub(crate) fn new() -> Self {
        let (sender, news) = mpsc::unbounded_channel();
        Self { tasks: JoinSet::new(), sender, news }
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Connects agents, all at once, and waits until each has what it asked for.
    pub(crate) async fn join(&mut self, agents: Vec<Agent>) -> Result<Synced> {
        let (count, begun) = (agents.len(), Instant::now());
        for agent in agents {
            self.tasks.spawn(agent.run(self.sender.clone()));
        }
        let mut synced = Synced::default();
        while synced.took.len() < count {
            let News { at, what, .. } = self.next(SYNC).await.with_context(|| {
                format!("{} of {count} agents have had their first answer", synced.took.len())
            })?;
            if let What::Synced { resources, bytes } = what {
                synced.took.push(at - begun);
                synced.resources = resources;
                synced.bytes += bytes;
            }
        }
        synced.took.sort_unstable();
        Ok(synced)
    }

    /// Makes a change and waits until every agent has been told of `resource`.
    pub(crate) async fn change(
        &mut self,
        resource: &str,
        change: impl FnOnce() -> Result<()>,
    ) -> Result<Spread> {
        let mut waiting: HashSet<usize> = HashSet::new();
        let begun = Instant::now();
        change()?;
        let mut spread = Spread { first: Duration::MAX, last: Duration::ZERO, bytes: 0 };
        while waiting.len() < self.len() {
            let News { agent, at, what } = self.next(CHANGE).await.with_context(|| {
                format!("{} of {} agents were told of {resource}", waiting.len(), self.len())
            })?;
            let What::Changed { names, bytes } = what else { continue };
            spread.bytes += bytes;
            if names.iter().any(|name| name == resource) && waiting.insert(agent) {
                spread.first = spread.first.min(at - begun);
                spread.last = spread.last.max(at - begun);
            }
        }
        Ok(spread)
    }

    async fn next(&mut self, patience: Duration) -> Result<News> {
        let news = timeout(patience, self.news.recv()).await;
        let news = news.with_context(|| format!("nothing came for {patience:?}"))?.context("no agents")?;
        if let What::Lost(error) = news.what {
            bail!("agent {} lost its stream: {error:#}", news.agent);
        }
        Ok(news)
    }
}

/// How long nobody may be ready during the first answers.
const SYNC: Duration = Duration::from_secs(180);
const CHANGE: Duration = Duration::from_secs(20);
