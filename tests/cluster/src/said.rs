//! What `weir-pod` prints, as the stories read it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// One question that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The text of the answer.
    pub body: String,
}

/// What came of asking.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// In the order in which they came.
    pub answers: Vec<Answer>,
    /// Questions without an answer, by the reason.
    pub errors: BTreeMap<String, u64>,
}

impl Answers {
    /// Whether every question was answered, and with success.
    #[must_use]
    pub fn are_good(&self) -> bool {
        self.errors.is_empty() && self.answers.iter().all(|answer| (200..300).contains(&answer.status))
    }

    /// The last one as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let last = self.answers.last().and_then(|answer| serde_json::from_str(&answer.body).ok());
        last.unwrap_or_default()
    }
}

/// How a load goes: new connections, one question on each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Questions that are over.
    pub asked: u64,
    /// Those that were answered with success.
    pub good: u64,
    /// The others, by the reason.
    pub errors: BTreeMap<String, u64>,
    /// The longest that any of them took, from the connection to the end of the answer, milliseconds.
    pub longest_ms: u64,
}

impl Tally {
    /// Counts one; with the reason, if it was none.
    pub fn add(&mut self, took_ms: u64, reason: Option<String>) {
        self.asked += 1;
        self.longest_ms = self.longest_ms.max(took_ms);
        match reason {
            None => self.good += 1,
            Some(reason) => *self.errors.entry(reason).or_default() += 1,
        }
    }
}

/// What is on a node, by topic: `rules`, `routes`, `nft`, `sysctls`, `bpffs`, `run`, `cni`, `cgroups`, `links`, `processes`.
pub type NodeState = BTreeMap<String, BTreeSet<String>>;
