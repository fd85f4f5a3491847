//! The documents of a file.
//!
//! A file is cut at its document markers first and each document is read for itself: a syntax error in one says
//! nothing about the others.

use std::iter;

use serde_json::Value;
use serde_saphyr::{Options, UserMessageFormatter, alias_limits, budget, options};

mod chunks;
mod places;
mod unique;

use chunks::{Chunk, chunks};
pub use places::locate;
use unique::Unique;

/// Text that is no YAML, or YAML that is no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct YamlProblem {
    /// Line of the file, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// The objects of a file, each with the line in which it begins. JSON is YAML too. The items of a `List` come one by
/// one; empty documents do not come.
pub fn documents(text: &str) -> impl Iterator<Item = Result<(usize, Value), YamlProblem>> {
    chunks(text).flat_map(|chunk| match document(&chunk) {
        Err(problem) => Objects::One(Some(Err(problem))),
        Ok(Value::Null) => Objects::One(None),
        Ok(value) if is_list(&value) => Objects::Items(items(&chunk, value).into_iter()),
        Ok(value) => Objects::One(Some(object(value, chunk.first_line))),
    })
}

/// Most documents are one object.
enum Objects {
    One(Option<Result<(usize, Value), YamlProblem>>),
    Items(std::vec::IntoIter<Result<(usize, Value), YamlProblem>>),
}

impl Iterator for Objects {
    type Item = Result<(usize, Value), YamlProblem>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::One(object) => object.take(),
            Self::Items(items) => items.next(),
        }
    }
}

fn document(chunk: &Chunk<'_>) -> Result<Value, YamlProblem> {
    // Not only because it is quicker: a tab is a blank in JSON, and none in YAML. Too much of it is left to the other
    // parser, which counts while it reads, and refuses.
    if chunk.text.trim_start().starts_with('{')
        && most_values(chunk.text) < MAX_JSON_VALUES
        && let Ok(Unique(value)) = serde_json::from_str(chunk.text)
    {
        return Ok(value);
    }
    serde_saphyr::from_str_with_options(chunk.text, switches()).map(|Unique(value)| value).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |place| (place.line(), place.column()));
        // A place that is not known is 0.
        let line = chunk.first_line + line.max(1) as usize - 1;
        YamlProblem { line, column: column.max(1) as usize, message: message(&error) }
    })
}

/// At most so many values are in a JSON text; what looks like them inside strings counts, too. Each but the first comes after
/// a comma, or is the first of its array or object.
fn most_values(text: &str) -> usize {
    1 + text.bytes().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count()
}

fn object(value: Value, line: usize) -> Result<(usize, Value), YamlProblem> {
    if value.is_object() {
        return Ok((line, value));
    }
    let message = "is not an object; expected one with apiVersion, kind and metadata".to_owned();
    Err(YamlProblem { line, column: 1, message })
}

/// `List` is what `kubectl get -o yaml` writes, `PodList` what the API answers.
fn is_list(value: &Value) -> bool {
    let kind = value.get("kind").and_then(Value::as_str);
    kind.is_some_and(|kind| kind.ends_with("List")) && value.get("items").is_some_and(Value::is_array)
}

fn items(chunk: &Chunk<'_>, mut list: Value) -> Vec<Result<(usize, Value), YamlProblem>> {
    let kind =
        list["kind"].as_str().and_then(|kind| kind.strip_suffix("List")).unwrap_or_default().to_owned();
    let Value::Array(items) = list["items"].take() else { return Vec::new() };
    let lines = places::items(chunk).into_iter().chain(iter::repeat(chunk.first_line));
    let items = items.into_iter().zip(lines).map(|(mut item, line)| {
        // The API does not repeat in each item what the list says of all.
        if let Some(fields) = item.as_object_mut().filter(|_| !kind.is_empty()) {
            fields.entry("kind").or_insert_with(|| kind.as_str().into());
            fields.entry("apiVersion").or_insert_with(|| list["apiVersion"].clone());
        }
        object(item, line)
    });
    items.collect()
}

/// As kubectl reads: octal numbers; but `no` and `on` are texts, or a label `no` would be a boolean.
fn switches() -> Options {
    options! {
        strict_booleans: true,
        legacy_octal_numbers: true,
        reject_unsupported_tags: true,
        with_snippet: false,
        // Enough for anchors that save typing; a bomb is found out in milliseconds.
        alias_limits: alias_limits! { max_total_replayed_events: 100_000 },
        budget: budget! {
            max_depth: 64,
            max_documents: 1,
            max_nodes: 2_000_000,
            max_events: 4_000_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
    }
}

/// On one line, as a log has it. It quotes the file, and a control character there is a command to a terminal.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().render_with_formatter(&UserMessageFormatter);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect();
    match text.rsplit_once(" at line ") {
        Some((text, place)) if place.chars().all(|c| c.is_ascii_digit() || ", column".contains(c)) => {
            text.to_owned()
        }
        _ => text,
    }
}

const MAX_MESSAGE: usize = 300;
/// A list of 10,000 pods with all that Kubernetes says of each has some 3,000,000 values; each takes up to 100 bytes.
const MAX_JSON_VALUES: usize = 4_000_000;

#[cfg(test)]
mod tests;
