//! Waiting for what objects say: a watch, never a pause.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use futures_util::StreamExt;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::Value;

use crate::cluster::{Cluster, Which};

/// Longer than a busy cluster takes for anything here.
pub(crate) const LONG: Duration = Duration::from_secs(120);

impl Cluster {
    /// Until `judge` likes what the objects say; its last word against them is in the error.
    pub(crate) fn until<T>(
        &self,
        what: &str,
        which: &Which,
        mut judge: impl FnMut(&[&Value]) -> Result<T>,
    ) -> Result<T> {
        let mut config = watcher::Config::default().labels(&which.labels);
        if !which.name.is_empty() {
            config = config.fields(&format!("metadata.name={}", which.name));
        }
        let api = self.api(which)?;
        self.block_on(async {
            let mut events = pin!(watcher(api, config).default_backoff());
            let (mut known, mut listed) = (BTreeMap::new(), false);
            let mut against = anyhow!("the API server has not listed {which}");
            let deadline = tokio::time::Instant::now() + LONG;
            while let Ok(event) = tokio::time::timeout_at(deadline, events.next()).await {
                match event {
                    Some(Ok(Event::Init)) => (known, listed) = (BTreeMap::new(), false),
                    Some(Ok(Event::InitApply(object) | Event::Apply(object))) => {
                        known.insert(object.metadata.uid.clone(), serde_json::to_value(object)?);
                    }
                    Some(Ok(Event::Delete(object))) => drop(known.remove(&object.metadata.uid)),
                    Some(Ok(Event::InitDone)) => listed = true,
                    Some(Err(error)) => against = error.into(),
                    None => bail!("the watch of {which} ended"),
                }
                if listed {
                    match judge(&known.values().collect::<Vec<_>>()) {
                        Ok(found) => return Ok(found),
                        Err(word) => against = word,
                    }
                }
            }
            Err(against.context(format!("waited {LONG:?} in vain for {what} ({which})")))
        })
    }

    /// As [`Cluster::until`], for one object, which must be there.
    pub(crate) fn until_one(
        &self,
        what: &str,
        which: &Which,
        mut judge: impl FnMut(&Value) -> Result<()>,
    ) -> Result<()> {
        self.until(what, which, |all| match all {
            [object] => judge(object),
            _ => bail!("it is not there"),
        })
    }

    /// Until none of them is there.
    pub(crate) fn until_gone(&self, which: &Which) -> Result<()> {
        self.until("them to go", which, |all| {
            let names: Vec<_> = all.iter().map(|object| &object["metadata"]["name"]).collect();
            ensure!(names.is_empty(), "still there: {names:?}");
            Ok(())
        })
    }
}

/// A condition of an object's status, or an error with all that it has.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Result<&'a Value> {
    let conditions = &object["status"]["conditions"];
    let found = conditions.as_array().into_iter().flatten().find(|condition| condition["type"] == kind);
    found.ok_or_else(|| anyhow!("no condition {kind} in {conditions}"))
}
