//! An authorization policy at layer 4: who may connect to what.
//!
//! The nouns are those of the wire (`istio.security.Authorization`), with the lists made into sets that answer without
//! allocating: a decision is taken for every connection and, when policy changes, for every open one again.
//!
//! ```text
//!   Policy --any--> Rule --all--> Clause --any--> Match --all its kinds--> set: one of its values, or none of them
//! ```
//! Empty means different things: a policy without rules never matches, a rule without clauses and a clause without
//! matches always match, a [`Match`] that asks for nothing never does.

use std::sync::Arc;

use serde::Serialize;

mod accounts;
mod constraint;
mod ports;
mod ranges;
mod text;
mod texts;

pub use accounts::{Accounts, ServiceAccountMatch};
pub use constraint::Match;
pub use ports::Ports;
pub use ranges::Ranges;
pub use texts::{StringMatch, Texts};

use crate::Connection;

/// An authorization policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Unique key, `namespace/name`: what a workload lists.
    pub key: Arc<str>,
    /// Kubernetes namespace.
    pub namespace: Arc<str>,
    /// Which workloads it is for.
    pub scope: PolicyScope,
    /// What a match means.
    pub action: Action,
    /// It matches if one of them does.
    pub rules: Vec<Rule>,
    /// What it says is logged and not enforced.
    pub dry_run: bool,
}

impl Policy {
    /// A policy without rules. If it allows, nobody comes in; if it denies, it does nothing.
    pub fn new(namespace: &str, name: &str, scope: PolicyScope, action: Action) -> Self {
        Self {
            key: format!("{namespace}/{name}").into(),
            namespace: namespace.into(),
            scope,
            action,
            rules: Vec::new(),
            dry_run: false,
        }
    }

    /// What stands for a policy that was not understood: nobody comes in to the workloads that it is for.
    pub fn refuse_all(namespace: &str, name: &str, scope: PolicyScope) -> Self {
        Self::new(namespace, name, scope, Action::Allow)
    }

    /// The part of the key behind the namespace.
    pub fn name(&self) -> &str {
        self.key.split_once('/').map_or(&*self.key, |(_, name)| name)
    }

    /// The place of the first rule that matches the connection.
    pub fn matching_rule(&self, connection: &Connection<'_>) -> Option<usize> {
        self.rules.iter().position(|rule| rule.matches(connection))
    }
}

/// Which workloads a policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum PolicyScope {
    /// All workloads of the mesh.
    Global,
    /// The workloads of its namespace.
    Namespace,
    /// The workloads that list its key.
    WorkloadSelector,
}

/// What it means that a policy matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Action {
    /// The connection may come in; if a workload has such policies, one of them must match.
    Allow,
    /// The connection may not come in, whatever else allows it.
    Deny,
}

/// One way to match a policy: all its clauses match. Without clauses it always does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Rule {
    /// All of them must match.
    pub clauses: Vec<Clause>,
}

impl Rule {
    fn matches(&self, connection: &Connection<'_>) -> bool {
        self.clauses.iter().all(|clause| clause.matches(connection))
    }
}

/// One condition of a rule: one of its matches does. Without matches it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Clause {
    /// One of them must match.
    pub matches: Vec<Match>,
}

impl Clause {
    fn matches(&self, connection: &Connection<'_>) -> bool {
        self.matches.is_empty() || self.matches.iter().any(|one| one.matches(connection))
    }
}
