//! Reading JSON that anybody may have written.
//!
//! Whoever meets something that it cannot read says so in the findings and answers [`Unknown`]: what that means for the
//! policy is for the caller to decide, because it differs between allowing and denying.

use serde_json::{Map, Value};

use super::finding::{Findings, Severity};
use super::path::Path;

/// Something is there and its meaning is not known. It has been reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unknown;

/// The object that is here.
pub(super) fn object<'v>(
    value: &'v Value,
    path: &Path<'_>,
    findings: &mut Findings,
) -> Result<&'v Map<String, Value>, Unknown> {
    value.as_object().ok_or_else(|| wrong_type(value, "an object", path, findings))
}

/// The list that is here.
pub(super) fn list<'v>(
    value: &'v Value,
    path: &Path<'_>,
    findings: &mut Findings,
) -> Result<&'v [Value], Unknown> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| wrong_type(value, "a list", path, findings))
}

/// The text that is here.
pub(super) fn text<'v>(
    value: &'v Value,
    path: &Path<'_>,
    findings: &mut Findings,
) -> Result<&'v str, Unknown> {
    value.as_str().ok_or_else(|| wrong_type(value, "a string", path, findings))
}

/// The list of texts that is here, each made into what it stands for. One that cannot be makes all of them unknown, but
/// all are looked at, so that the author hears of them at once.
pub(super) fn texts<T>(
    value: &Value,
    path: &Path<'_>,
    findings: &mut Findings,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, Unknown> {
    let items = list(value, path, findings)?;
    let mut parsed = Vec::with_capacity(items.len());
    for (i, item) in items.iter().enumerate() {
        let path = path.index(i);
        let Ok(item) = text(item, &path, findings) else { continue };
        match parse(item) {
            Ok(item) => parsed.push(item),
            Err(message) => findings.add(Severity::Invalid, path, message),
        }
    }
    if parsed.len() == items.len() { Ok(parsed) } else { Err(Unknown) }
}

/// A field that nobody knows: misspelled, or from a version to come. Either way it was meant to say something.
pub(super) fn unknown_field(path: &Path<'_>, findings: &mut Findings) -> Unknown {
    findings.add(Severity::Invalid, path, "is not a field that is known here");
    Unknown
}

fn wrong_type(value: &Value, wanted: &str, path: &Path<'_>, findings: &mut Findings) -> Unknown {
    let is = match value {
        Value::Null => "nothing (null)".to_owned(),
        Value::Bool(value) => format!("{value}"),
        Value::Number(value) => format!("the number {value}"),
        Value::String(value) => format!("the string {}", quoted(value)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    findings.add(Severity::Invalid, path, format!("must be {wanted} and is {is}"));
    Unknown
}

/// A text as it is shown to its author. Cut: it comes from a stranger and goes into a status.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

const SHOWN: usize = 64;
