//! Secrets that something names: each is watched for itself, by its name, and no other is ever read.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt as _;
use kube::Api;
use kube::api::DynamicObject;
use kube::runtime::watcher::{Error, watch_object};
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use weir_resources::{Event, Invalid, Key, Kind, Meta, Problem};

use super::Cluster;
use super::backoff::{Backoff, spread};
use super::convert::applied;
use super::discover::built_in;
use super::follow::Verdict;
use super::secret::expired;

/// Namespace and name.
pub type SecretName = (Arc<str>, Arc<str>);

impl Cluster {
    /// Sends what is in the Secrets that are wanted, and that one is not there ([`Event::Delete`]), until the receiver is
    /// gone. One that may not be read is an [`Event::Invalid`] that says so.
    pub async fn follow_secrets(
        self,
        mut wanted: watch::Receiver<BTreeSet<SecretName>>,
        events: Sender<Vec<Event>>,
    ) {
        let mut tasks = JoinSet::new();
        let mut followed: BTreeMap<SecretName, AbortHandle> = BTreeMap::new();
        loop {
            let names = wanted.borrow_and_update().clone();
            followed.retain(|name, task| {
                let stays = names.contains(name);
                if !stays {
                    task.abort();
                }
                stays
            });
            for name in names {
                followed.entry(name).or_insert_with_key(|name| {
                    let one = One { cluster: self.clone(), name: name.clone(), events: events.clone() };
                    tasks.spawn(one.follow())
                });
            }
            tokio::select! {
                changed = wanted.changed() => if changed.is_err() { return std::future::pending().await },
                () = events.closed() => return,
            }
            // Those that ended are let go.
            while tasks.try_join_next().is_some() {}
        }
    }
}

/// One Secret.
struct One {
    cluster: Cluster,
    name: SecretName,
    events: Sender<Vec<Event>>,
}

impl One {
    async fn follow(self) {
        let resource = built_in(Kind::Secret).resource;
        let (namespace, name) = &self.name;
        let api: Api<DynamicObject> = Api::namespaced_with(self.cluster.client.clone(), namespace, &resource);
        let mut backoff = Backoff::default();
        let mut stream = pin!(watch_object(api.clone(), name));
        while let Some(next) = stream.next().await {
            let event = match next {
                Ok(object) => {
                    backoff.reset();
                    Some(match object {
                        Some(object) => applied(Kind::Secret, &resource, object),
                        None => Event::Delete(self.key()),
                    })
                }
                Err(error) => {
                    tracing::debug!("watching Secret {namespace}/{name}: {error}");
                    let event = self.forbidden(&error);
                    sleep(backoff.next(spread())).await;
                    if expired(&error) {
                        stream.set(watch_object(api.clone(), name));
                    }
                    event
                }
            };
            if let Some(event) = event
                && self.events.send(vec![event]).await.is_err()
            {
                return;
            }
        }
    }

    /// What its author is told; of what passes, nothing.
    fn forbidden(&self, error: &Error) -> Option<Event> {
        let (namespace, name) = &self.name;
        if Verdict::of(error) != Verdict::Forbidden {
            return None;
        }
        let why = "the controller may not read it: its role needs list and watch of secrets there";
        let meta = Meta { namespace: namespace.clone(), name: name.clone(), ..Meta::default() };
        let problem = Problem::new("data", why);
        Some(Event::Invalid(Box::new(Invalid {
            key: Some(self.key()),
            meta: Box::new(meta),
            problem,
            spec: None,
        })))
    }

    fn key(&self) -> Key {
        Key { kind: Kind::Secret, namespace: self.name.0.clone(), name: self.name.1.clone() }
    }
}
