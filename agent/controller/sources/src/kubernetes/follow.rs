//! One kind: finding it, listing it, watching it.

mod verdict;

use std::pin::pin;
use std::time::Duration;

use futures_util::{FutureExt, Stream, StreamExt};
use kube::Api;
use kube::api::DynamicObject;
use kube::core::ApiResource;
use kube::runtime::watcher::{self, watcher};
use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, timeout};
use weir_resources::{Event, Kind};

use super::backoff::{Backoff, spread};
use super::connect::WATCH_SECONDS;
use super::convert::{applied, deleted};
use super::discover::find;
use super::{Cluster, KindState};
use verdict::Verdict;

/// Reads one kind, for as long as somebody listens.
pub(super) struct Follower {
    cluster: Cluster,
    kind: Kind,
    events: Sender<Vec<Event>>,
    backoff: Backoff,
    /// The receiver was told a complete list once.
    told: bool,
}

/// Nobody listens any more.
struct Closed;

/// Why a watcher is given up.
enum Over {
    Closed,
    /// A new one has to begin with a list.
    Again,
    /// The API does not serve the kind any more.
    Gone,
}

impl From<Closed> for Over {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

impl Follower {
    pub(super) fn new(cluster: Cluster, kind: Kind, events: Sender<Vec<Event>>) -> Self {
        Self { cluster, kind, events, backoff: Backoff::default(), told: false }
    }

    pub(super) async fn run(mut self) {
        let _: Result<(), Closed> = self.follow_forever().await;
    }

    async fn follow_forever(&mut self) -> Result<(), Closed> {
        self.state(KindState::Listing);
        loop {
            let resource = self.find().await?;
            match self.follow(&resource).await {
                Over::Closed => return Err(Closed),
                Over::Again => {}
                // Its definition may be on its way back, as when it is replaced.
                Over::Gone => self.pause(self.cluster.discover_every / 10).await?,
            }
        }
    }

    /// Waits until the kind is served. While it is not, there is none.
    async fn find(&mut self) -> Result<ApiResource, Closed> {
        let mut absent = false;
        loop {
            match find(&self.cluster.client, self.kind).await {
                Ok(Some(served)) => return Ok(served.resource),
                Ok(None) => {
                    if !absent {
                        absent = true;
                        self.none_there().await?;
                        self.state(KindState::Absent);
                    }
                    self.pause(self.cluster.discover_every).await?;
                }
                Err(error) => {
                    self.state(KindState::Failing(error.to_string()));
                    self.back_off().await?;
                }
            }
        }
    }

    async fn follow(&mut self, resource: &ApiResource) -> Over {
        let api: Api<DynamicObject> = match self.kind {
            // Of all ConfigMaps of a cluster only the mesh's own are its business.
            Kind::ConfigMap => {
                Api::namespaced_with(self.cluster.client.clone(), &self.cluster.root_namespace, resource)
            }
            _ => Api::all_with(self.cluster.client.clone(), resource),
        };
        let stream = pin!(watcher(api, watcher::Config::default().timeout(WATCH_SECONDS)));
        let follow = Watching { follower: self, resource, listing: true, relist: false, doubtful: false };
        match follow.run(stream).await {
            Ok(never) => match never {},
            Err(over) => over,
        }
    }

    /// Tells that there is no object of this kind.
    async fn none_there(&mut self) -> Result<(), Closed> {
        self.told = true;
        self.send(vec![Event::Relist(self.kind), Event::Synced(self.kind)]).await
    }

    async fn send(&self, batch: Vec<Event>) -> Result<(), Closed> {
        if batch.is_empty() {
            return Ok(());
        }
        self.events.send(batch).await.map_err(|_| Closed)
    }

    async fn back_off(&mut self) -> Result<(), Closed> {
        let pause = self.backoff.next(spread());
        self.pause(pause).await
    }

    async fn pause(&self, pause: Duration) -> Result<(), Closed> {
        tokio::select! {
            () = sleep(pause) => Ok(()),
            () = self.events.closed() => Err(Closed),
        }
    }

    fn state(&self, state: KindState) {
        self.cluster.health.set(self.kind, state);
    }
}

/// One watcher's life.
struct Watching<'a> {
    follower: &'a mut Follower,
    resource: &'a ApiResource,
    /// The list is not complete.
    listing: bool,
    /// A list was asked for. It is told with its first object: one that fails at once changes nothing.
    relist: bool,
    /// There was an error after the list, and no sign yet that it has passed.
    doubtful: bool,
}

impl Watching<'_> {
    async fn run(
        mut self,
        mut stream: std::pin::Pin<&mut impl Stream<Item = watcher::Result<watcher::Event<DynamicObject>>>>,
    ) -> Result<std::convert::Infallible, Over> {
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
    async fn wait<S: Stream>(&mut self, stream: &mut std::pin::Pin<&mut S>) -> Result<Option<S::Item>, Over> {
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
