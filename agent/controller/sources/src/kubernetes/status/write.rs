//! Writing one status, and what is remembered from one to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};
use weir_resources::{Key, Kind};

use super::super::backoff::{Backoff, spread};
use super::super::discover::{Served, find};
use super::super::error::call;
use super::super::{ApiError, Cluster, FIELD_MANAGER};
use super::{StatusPatch, merge};

/// What came of a write that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is as it should be, or never will be: the object is gone or another by now, or the API does not take it.
    Done,
    /// Not of this kind, for the time being.
    Refused,
}

/// Writes statuses, one after the other.
pub(super) struct Write {
    cluster: Cluster,
    /// How kinds are served, and when that was found out.
    served: BTreeMap<Kind, (Option<Served>, Instant)>,
    /// Kinds whose status we may not write, and until when that is believed.
    refused: BTreeMap<Kind, Instant>,
    /// Kinds of which that was said, and none was written since.
    said: BTreeSet<Kind>,
    backoff: Backoff,
}

impl Write {
    pub(super) fn new(cluster: &Cluster) -> Self {
        Self {
            cluster: cluster.clone(),
            served: BTreeMap::new(),
            refused: BTreeMap::new(),
            said: BTreeSet::new(),
            backoff: Backoff::default(),
        }
    }

    /// Waits until a kind that was refused is worth another try.
    pub(super) async fn next_try(&mut self) -> Kind {
        let soonest = self.refused.iter().min_by_key(|(_, until)| **until);
        let Some((kind, until)) = soonest.map(|(kind, until)| (*kind, *until)) else {
            return std::future::pending().await;
        };
        sleep_until(until).await;
        self.refused.remove(&kind);
        self.served.remove(&kind);
        kind
    }

    pub(super) fn is_refused(&self, kind: Kind) -> bool {
        self.refused.contains_key(&kind)
    }

    /// How long to wait after a failure.
    pub(super) fn backoff(&mut self) -> Duration {
        self.backoff.next(spread())
    }

    /// Writes one. An error is one of those that pass.
    pub(super) async fn write(&mut self, patch: &StatusPatch) -> Result<Outcome, ApiError> {
        let kind = patch.key.kind;
        let written = match self.served(kind).await? {
            Some(served) if served.has_status => self.write_to(&served, patch).await,
            Some(_) => {
                return Ok(self.refuse(kind, "the API does not serve it (subresources of its definition)"));
            }
            None => return Ok(Outcome::Done),
        };
        match written {
            Ok(()) => {
                self.backoff.reset();
                self.said.remove(&kind);
                Ok(Outcome::Done)
            }
            Err(error) if error.is_conflict() || error.is_passing() => Err(error),
            Err(error) if matches!(error.code(), Some(401 | 403)) => {
                Ok(self.refuse(kind, &error.to_string()))
            }
            // It was there a moment ago: it is gone since, or its kind has no status any more. The next look will tell.
            Err(error) if error.code() == Some(404) => {
                self.served.remove(&kind);
                Err(error)
            }
            Err(error) => {
                tracing::warn!(key = %patch.key, "the status cannot be written: {error}");
                Ok(Outcome::Done)
            }
        }
    }

    fn refuse(&mut self, kind: Kind, why: &str) -> Outcome {
        // Once per kind: there may be thousands of it.
        if self.said.insert(kind) {
            tracing::warn!(kind = kind.name(), "no status of this kind can be written for now: {why}");
        }
        self.refused.insert(kind, Instant::now() + self.cluster.discover_every * REFUSED);
        Outcome::Refused
    }

    /// How a kind is served. Asked again after a while: definitions come, go and get new versions.
    async fn served(&mut self, kind: Kind) -> Result<Option<Served>, ApiError> {
        if let Some((served, since)) = self.served.get(&kind)
            && since.elapsed() < self.cluster.discover_every
        {
            return Ok(served.clone());
        }
        let served = find(&self.cluster.client, kind).await?;
        self.served.insert(kind, (served.clone(), Instant::now()));
        Ok(served)
    }

    async fn write_to(&mut self, served: &Served, patch: &StatusPatch) -> Result<(), ApiError> {
        let Key { kind, namespace, name } = &patch.key;
        let client = &self.cluster.client;
        let api: Api<DynamicObject> = match kind.is_namespaced() {
            true => Api::namespaced_with(client.clone(), namespace, &served.resource),
            false => Api::all_with(client.clone(), &served.resource),
        };
        let what = format!("reading {}", patch.key);
        let Some(object) = call(&what, api.get_opt(name)).await? else {
            // Or the version is not served any more, which the API says with the same number.
            self.served.remove(kind);
            return match self.served(*kind).await? {
                Some(now) if now != *served => Box::pin(self.write_to(&now, patch)).await,
                _ => Ok(()),
            };
        };
        let generation = object.metadata.generation.unwrap_or_default();
        if patch.generation != 0 && generation != patch.generation {
            return Ok(());
        }
        let now = k8s_openapi::jiff::Timestamp::now();
        let now = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let before = object.data.get("status").cloned().unwrap_or(Value::Null);
        let Some(status) = merge::merged(&before, patch, &now) else { return Ok(()) };
        let body =
            json!({"metadata": {"resourceVersion": object.metadata.resource_version}, "status": status});
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let what = format!("writing the status of {}", patch.key);
        call(&what, api.patch_status(name, &params, &Patch::Merge(&body))).await.map(drop)
    }
}

/// A refusal is believed for so many times the pause between two looks for new kinds: for a minute.
const REFUSED: u32 = 6;
