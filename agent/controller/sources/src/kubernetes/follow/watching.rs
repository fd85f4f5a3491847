//! The life of one watcher: a list, what changes after it, and errors that pass or do not.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{FutureExt, Stream, StreamExt};
use kube::api::DynamicObject;
use kube::core::ApiResource;
use kube::runtime::watcher;
use tokio::time::timeout;
use weir_resources::{Event, Kind};

use super::verdict::Verdict;
use super::{Follower, Over};
use crate::kubernetes::KindState;
use crate::kubernetes::convert::{applied, deleted};

/// One watcher's life.
pub(super) struct Watching<'a> {
    follower: &'a mut Follower,
    resource: &'a ApiResource,
    /// The list is not complete.
    listing: bool,
    /// A list was asked for. It is told with its first object: one that fails at once changes nothing.
    relist: bool,
    /// There was an error after the list, and no sign yet that it has passed.
    doubtful: bool,
}

impl<'a> Watching<'a> {
    pub(super) fn new(follower: &'a mut Follower, resource: &'a ApiResource) -> Self {
        Self { follower, resource, listing: true, relist: false, doubtful: false }
    }

    /// Reads a watcher until it is given up.
    pub(super) async fn run(
        mut self,
        mut stream: Pin<&mut impl Stream<Item = watcher::Result<watcher::Event<DynamicObject>>>>,
    ) -> Result<Infallible, Over> {
        loop {
            let Some(first) = self.wait(&mut stream).await? else { continue };
            let mut batch = Vec::new();
            let mut failed = self.take(first, &mut batch).err();
            while failed.is_none()
                && batch.len() < BATCH
                && let Some(Some(next)) = stream.next().now_or_never()
            {
                failed = self.take(next, &mut batch).err();
            }
            self.follower.send(batch).await?;
            if let Some(error) = failed {
                self.failed(&error).await?;
            }
        }
    }

    /// The next thing that happens, or `None` if something should have and did not.
    async fn wait<S: Stream>(&mut self, stream: &mut Pin<&mut S>) -> Result<Option<S::Item>, Over> {
        let limit = match (self.listing, self.doubtful) {
            (true, _) => LIST_LIMIT,
            (false, true) => DOUBT,
            (false, false) => Duration::MAX,
        };
        let next = tokio::select! {
            next = timeout(limit, stream.next()) => next,
            () = self.follower.events.closed() => return Err(Over::Closed),
        };
        match next {
            Ok(Some(item)) => Ok(Some(item)),
            Ok(None) => Err(Over::Again),
            Err(_) if self.listing => {
                let why = format!("a list did not come within {LIST_LIMIT:?}");
                self.follower.state(KindState::Failing(why));
                Err(Over::Again)
            }
            Err(_) => {
                // A watch that was refused would have been refused again by now.
                self.well();
                Ok(None)
            }
        }
    }

    fn take(
        &mut self,
        item: watcher::Result<watcher::Event<DynamicObject>>,
        batch: &mut Vec<Event>,
    ) -> Result<(), watcher::Error> {
        let kind = self.follower.kind;
        match item? {
            watcher::Event::Init => {
                self.listing = true;
                self.relist = true;
            }
            watcher::Event::InitApply(object) => {
                self.begin_list(batch);
                batch.push(applied(kind, self.resource, object));
            }
            watcher::Event::InitDone => {
                self.begin_list(batch);
                batch.push(Event::Synced(kind));
                self.listing = false;
                self.follower.told = true;
                self.well();
            }
            watcher::Event::Apply(object) => {
                batch.push(applied(kind, self.resource, object));
                self.well();
            }
            watcher::Event::Delete(object) => {
                batch.push(deleted(kind, &object));
                self.well();
            }
        }
        Ok(())
    }

    fn begin_list(&mut self, batch: &mut Vec<Event>) {
        if std::mem::take(&mut self.relist) {
            batch.push(Event::Relist(self.follower.kind));
        }
    }

    fn well(&mut self) {
        self.doubtful = false;
        self.follower.backoff.reset();
        self.follower.state(KindState::Synced);
    }

    async fn failed(&mut self, error: &watcher::Error) -> Result<(), Over> {
        self.doubtful = true;
        let verdict = Verdict::of(error);
        match verdict {
            Verdict::NotServed => return Err(Over::Gone),
            Verdict::Forbidden => {
                self.follower.state(KindState::Forbidden(error.to_string()));
                if !self.follower.told && !is_essential(self.follower.kind) {
                    self.follower.none_there().await?;
                }
            }
            // Old versions are forgotten every few minutes; that is nobody's failure.
            Verdict::Expired => {}
            Verdict::Passing => self.follower.state(KindState::Failing(error.to_string())),
        }
        self.follower.back_off().await?;
        if verdict == Verdict::Expired || self.follower.backoff.failures().is_multiple_of(LOSES_PATIENCE) {
            return Err(Over::Again);
        }
        Ok(())
    }
}

/// Whether the mesh may not be told without this kind. A replica that was never able to read it does not become ready, and
/// its agents stay with what they know: to publish without policies would open the mesh, without pods empty it. Of other
/// kinds that we may not read there is none, and that is reported.
fn is_essential(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Namespace
            | Kind::Pod
            | Kind::Service
            | Kind::EndpointSlice
            | Kind::AuthorizationPolicy
            | Kind::PeerAuthentication
    )
}

/// Events told at once.
const BATCH: usize = 512;
/// How long the next page of a list may take.
const LIST_LIMIT: Duration = Duration::from_secs(30);
/// How long after an error a watch is taken for good.
const DOUBT: Duration = Duration::from_secs(20);
/// After so many errors in a row a watch is begun anew with a list, whatever they say.
const LOSES_PATIENCE: u32 = 5;
