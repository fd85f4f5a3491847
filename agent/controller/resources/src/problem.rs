//! What is wrong with an object.

use std::fmt;

use crate::{Key, Meta};

/// A field, and what is wrong with it. The words are for the person who wrote the object.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Path of the field, for example `spec.rules[0].from[1].source.ipBlocks[0]`.
    pub field: String,
    /// What is wrong, for example `"10.0.0.0/33" is not an address or a CIDR`.
    pub message: String,
}

impl Problem {
    /// A problem.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// An object that cannot be read. What was known under its key is no longer true, so it takes that one's place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", key.as_ref().map_or_else(|| "an object".to_owned(), ToString::to_string))]
pub struct Invalid {
    /// Which object, if it says so much.
    pub key: Option<Key>,
    /// Its metadata, as far as it could be read.
    pub meta: Box<Meta>,
    /// The first thing that is wrong.
    pub problem: Problem,
    /// The spec of a policy of which nothing but the metadata is wrong: what it asks for is known all the same. Else nothing.
    pub spec: Option<Box<serde_json::Value>>,
}
