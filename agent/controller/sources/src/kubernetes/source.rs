//! The source: one follower per kind.

use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use weir_resources::{Event, Kind};

use super::Cluster;
use super::follow::Follower;

impl Cluster {
    /// Reads all kinds, but those that are read by name ([`Cluster::follow_secrets`]), and sends what happens, in batches, until the receiver is gone. Every kind begins with
    /// [`Event::Relist`], and is [`Event::Synced`] when its first list is complete. Nothing here ends by an error of the API:
    /// it is in [`Cluster::health`], and tried again.
    pub async fn run(self, events: Sender<Vec<Event>>) {
        let mut followers = JoinSet::new();
        for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_read_by_name()) {
            followers.spawn(Follower::new(self.clone(), kind, events.clone()).run());
        }
        // All of them end at the same time: when nobody listens.
        while followers.join_next().await.is_some() {}
    }
}
