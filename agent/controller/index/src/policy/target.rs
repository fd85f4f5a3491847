//! `targetRef` and `targetRefs`: a policy that waypoints enforce.

use serde_json::{Map, Value};

use super::finding::{Findings, Severity};
use super::path::Path;
use super::read::{self, Unknown};

/// Whether the policy names what it is for, instead of selecting workloads. Unknown if there is no telling.
pub(super) fn read(
    spec: &Map<String, Value>,
    path: &Path<'_>,
    findings: &mut Findings,
) -> Result<bool, Unknown> {
    let at = path.field("targetRef");
    let one = spec.get("targetRef").map(|reference| reference_at(reference, &at, findings)).transpose()?;
    let at = path.field("targetRefs");
    let Some(all) = spec.get("targetRefs") else { return Ok(one.is_some()) };
    let references = read::list(all, &at, findings)?;
    for (i, reference) in references.iter().enumerate() {
        reference_at(reference, &at.index(i), findings)?;
    }
    if one.is_some() && !references.is_empty() {
        findings.add(Severity::Invalid, at, "is beside targetRef; one of them must go");
    }
    Ok(one.is_some() || !references.is_empty())
}

/// What is wrong in a reference is said, and does not make the policy any less a waypoint's.
fn reference_at(reference: &Value, path: &Path<'_>, findings: &mut Findings) -> Result<(), Unknown> {
    let fields = read::object(reference, path, findings)?;
    for (name, value) in fields {
        let at = path.field(name);
        match name.as_str() {
            "group" | "kind" | "name" | "namespace" => drop(read::text(value, &at, findings)),
            _ => drop(read::unknown_field(&at, findings)),
        }
    }
    for name in ["kind", "name"] {
        if fields.get(name).is_none_or(|value| value.as_str() == Some("")) {
            findings.add(Severity::Invalid, path.field(name), "is missing");
        }
    }
    Ok(())
}
