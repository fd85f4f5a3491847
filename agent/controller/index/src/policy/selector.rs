//! Whom a policy is for, as it says itself.

use serde_json::Value;
use weir_resources::Labels;

use super::finding::{Findings, Severity};
use super::path::Path;
use super::read::{self, Unknown, quoted};

/// The `selector` that is here.
pub(super) fn read(selector: &Value, path: &Path<'_>, findings: &mut Findings) -> Result<Labels, Unknown> {
    let fields = read::object(selector, path, findings)?;
    let mut labels = Vec::new();
    let mut known = Ok(());
    for (name, value) in fields {
        let at = path.field(name);
        match name.as_str() {
            "matchLabels" => match match_labels(value, &at, findings) {
                Ok(read) => labels = read,
                Err(unknown) => known = Err(unknown),
            },
            _ => known = Err(read::unknown_field(&at, findings)),
        }
    }
    known.map(|()| labels.into_iter().collect())
}

fn match_labels<'v>(
    value: &'v Value,
    path: &Path<'_>,
    findings: &mut Findings,
) -> Result<Vec<(&'v str, &'v str)>, Unknown> {
    let fields = read::object(value, path, findings)?;
    let mut labels = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let at = path.field(name);
        let Ok(value) = read::text(value, &at, findings) else { continue };
        match problem(name, value) {
            None => labels.push((name.as_str(), value)),
            Some(message) => findings.add(Severity::Invalid, at, message),
        }
    }
    if labels.len() == fields.len() { Ok(labels) } else { Err(Unknown) }
}

/// What no label can be. A selector that can match nothing would be a policy for nobody.
fn problem(name: &str, value: &str) -> Option<String> {
    if name.is_empty() {
        return Some("has a label without a name".to_owned());
    }
    if name.contains('*') || value.contains('*') {
        return Some("has a wildcard, which labels cannot have".to_owned());
    }
    (value.len() > LONGEST)
        .then(|| format!("{} is longer than a label can be ({LONGEST} bytes)", quoted(value)))
}

const LONGEST: usize = 63;
