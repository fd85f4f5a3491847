//! The mesh's roots in every namespace, in a ConfigMap that pods mount.

mod desired;

use std::future::ready;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;

use super::backoff::{Backoff, spread};
use super::connect::WATCH_SECONDS;
use super::error::call;
use super::secret::expired;
use super::{ApiError, Cluster, FIELD_MANAGER};
use desired::Desired;

/// Keeps the roots in a ConfigMap of every namespace.
pub struct RootConfigMaps {
    cluster: Cluster,
    name: String,
    leading: watch::Receiver<bool>,
    roots: watch::Receiver<Arc<str>>,
}

impl RootConfigMaps {
    /// ConfigMaps of this name (`istio-ca-root-cert`) with the PEM texts of `roots` under key `root-cert.pem`, written
    /// while `leading` is true. An empty text is not written.
    #[must_use]
    pub fn new(
        cluster: &Cluster,
        name: &str,
        leading: watch::Receiver<bool>,
        roots: watch::Receiver<Arc<str>>,
    ) -> Self {
        Self { cluster: cluster.clone(), name: name.to_owned(), leading, roots }
    }

    /// Writes what is missing or different, until one of the receivers' other ends is gone.
    pub async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            if self.leading.wait_for(|leads| *leads).await.is_err() {
                return;
            }
            match self.lead(&mut backoff).await {
                Over::Lost => {}
                Over::Again => sleep(backoff.next(spread())).await,
                Over::Closed => return,
            }
        }
    }

    async fn lead(&mut self, backoff: &mut Backoff) -> Over {
        let config = watcher::Config::default().timeout(WATCH_SECONDS);
        let namespaces: Api<PartialObjectMeta<Namespace>> = Api::all(self.cluster.client.clone());
        let mut namespaces = std::pin::pin!(watcher(namespaces, config.clone()));
        let maps: Api<ConfigMap> = Api::all(self.cluster.client.clone());
        let only = config.fields(&format!("metadata.name={}", self.name));
        let mut maps = std::pin::pin!(watcher(maps, only));
        let mut desired = Desired::default();
        desired.roots(&self.roots.borrow_and_update());
        let writer = Writer { cluster: self.cluster.clone(), name: self.name.clone() };
        let mut leading = self.leading.clone();
        let mut patience = Backoff::default();
        loop {
            if !desired.has_aside() && !desired.has_work() {
                patience.reset();
            }
            let again = patience.pause(spread());
            let step = tokio::select! {
                biased;
                lost = async { leading.wait_for(|leads| !*leads).await.is_ok() } => {
                    return if lost { Over::Lost } else { Over::Closed };
                }
                changed = self.roots.changed() => {
                    if changed.is_err() {
                        return Over::Closed;
                    }
                    desired.roots(&self.roots.borrow_and_update());
                    Ok(())
                }
                event = next(&mut namespaces) => event.map(|event| desired.namespace(event)),
                event = next(&mut maps) => event.map(|event| desired.map(event)),
                () = sleep(again), if desired.has_aside() && !desired.has_work() => {
                    let _ = patience.next(0);
                    desired.take_back();
                    Ok(())
                }
                // Last: what is known is complete before one ConfigMap is written, and each is looked at again after.
                () = ready(()), if desired.has_work() => match desired.take_work() {
                    Some(namespace) => match writer.write(&namespace, desired.text()).await {
                        Err(error) if is_of_one(&error) => {
                            if desired.put_aside(&namespace) {
                                tracing::warn!(namespace, "it does not get the roots, and is tried again: {error}");
                            }
                            Ok(())
                        }
                        done => done.map_err(|error| error.to_string()),
                    },
                    None => Ok(()),
                },
            };
            match step {
                Ok(()) if !desired.has_work() => backoff.reset(),
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!("the roots are not in every namespace yet: {error}");
                    return Over::Again;
                }
            }
        }
    }
}

/// Writes one ConfigMap.
struct Writer {
    cluster: Cluster,
    name: String,
}

impl Writer {
    async fn write(&self, namespace: &str, text: &str) -> Result<(), ApiError> {
        let maps: Api<ConfigMap> = Api::namespaced(self.cluster.client.clone(), namespace);
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": self.name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "weir"}},
            "data": {(desired::KEY): text},
        });
        let what = format!("writing ConfigMap {namespace}/{}", self.name);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match call(&what, maps.patch(&self.name, &params, &Patch::Apply(&object))).await {
            // The namespace is going away, or has gone; the API says it with either.
            Err(error) if is_terminating(&error, namespace) => Ok(()),
            done => done.map(drop),
        }
    }
}

/// Whether the next namespace may have more luck: a quota, a policy or a webhook of its own stands in the way of this one.
fn is_of_one(error: &ApiError) -> bool {
    match error {
        ApiError::Refused { code, .. } => *code != 429,
        ApiError::Late { .. } => true,
        ApiError::Failed { .. } => false,
    }
}

fn is_terminating(error: &ApiError, namespace: &str) -> bool {
    let ApiError::Refused { code, message, .. } = error else { return false };
    match code {
        403 => message.contains("is being terminated"),
        404 => message.contains(&format!("namespaces \"{namespace}\" not found")),
        _ => false,
    }
}

enum Over {
    /// Another one leads.
    Lost,
    /// An error; begin with lists.
    Again,
    /// Nobody tells us anything any more.
    Closed,
}

/// The next event. Errors that the watcher gets over by itself are waited out here.
async fn next<K>(
    stream: &mut std::pin::Pin<&mut impl Stream<Item = watcher::Result<Event<K>>>>,
) -> Result<Event<K>, String> {
    match stream.next().await {
        Some(Ok(event)) => Ok(event),
        Some(Err(error)) if expired(&error) => Err("the watch is too old and begins anew".to_owned()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("the watch ended".to_owned()),
    }
}
