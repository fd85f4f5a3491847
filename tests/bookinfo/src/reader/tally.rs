//! What came.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::response::Parts;
use serde::Serialize;
use serde_json::Value;

/// Counts of all connections.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Tally {
    asked: u64,
    /// By status and, if the body is JSON that says it, `version`.
    answers: BTreeMap<String, u64>,
    failures: BTreeMap<String, u64>,
    longest_ms: u64,
    /// When each value of `x-revision` was first seen: microseconds of the wall clock.
    revisions: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn asked(&mut self) {
        self.asked += 1;
    }

    pub(crate) fn answered(&mut self, head: &Parts, body: &[u8], after: Duration) {
        let version = serde_json::from_slice::<Value>(body).ok();
        let version = version.as_ref().and_then(|value| value["version"].as_str());
        let status = head.status.as_str();
        let what = version.map_or_else(|| status.to_owned(), |version| format!("{status} {version}"));
        *self.answers.entry(what).or_default() += 1;
        self.longest_ms = self.longest_ms.max(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        if let Some(revision) = head.headers.get("x-revision").and_then(|value| value.to_str().ok())
            && !self.revisions.contains_key(revision)
        {
            self.revisions.insert(revision.to_owned(), now());
        }
    }

    pub(crate) fn failed(&mut self, error: &anyhow::Error) {
        *self.failures.entry(format!("{error:#}")).or_default() += 1;
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
