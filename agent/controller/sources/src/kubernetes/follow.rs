//! One kind: finding it, and following it from one watcher to the next.

mod verdict;
mod watching;

use std::pin::pin;
use std::time::Duration;

use kube::Api;
use kube::api::DynamicObject;
use kube::core::ApiResource;
use kube::runtime::watcher::{self, watcher};
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;
use weir_resources::{Event, Kind};

use super::backoff::{Backoff, spread};
use super::connect::WATCH_SECONDS;
use super::discover::find;
use super::{Cluster, KindState};
pub(in crate::kubernetes) use verdict::Verdict;
use watching::Watching;

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

    /// Waits until the kind is served. While it is not, there is none. Of what was served before that is not believed at
    /// once: to delete a definition deletes its objects first, and what is still known then was never said to be gone.
    async fn find(&mut self) -> Result<ApiResource, Closed> {
        let enough = if self.told { LOOKS } else { 1 };
        let mut looks = 0;
        loop {
            match find(&self.cluster.client, self.kind).await {
                Ok(Some(served)) => return Ok(served.resource),
                Ok(None) => {
                    looks += 1;
                    if looks < enough {
                        self.state(KindState::Failing("the API does not serve it any more".to_owned()));
                    } else if looks == enough {
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
        match Watching::new(self, resource).run(stream).await {
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

/// So often in a row a kind that was served has to be missing.
const LOOKS: u32 = 3;
