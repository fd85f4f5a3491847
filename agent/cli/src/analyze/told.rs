//! What the controller's own parts say: the reader of objects, and the index in statuses.

use weir_index::StatusUpdate;
use weir_resources::{Condition, kind_of, locate, parse};

use super::{Finding, Severity};
use crate::mesh::UNREAD;
use crate::objects::{Item, Objects};

/// What is no YAML.
pub(super) fn broken(objects: &Objects) -> Vec<Finding> {
    let one = |(file, problem): &(std::path::PathBuf, weir_resources::YamlProblem)| Finding {
        code: "WEIR0001",
        severity: Severity::Error,
        object: None,
        place: Some((file.clone(), problem.line)),
        message: format!("column {}: {}", problem.column, problem.message),
    };
    objects.broken.iter().map(one).collect()
}

/// What cannot be read.
pub(super) fn invalid(objects: &Objects) -> Vec<Finding> {
    let one = |item: &Item| {
        kind_of(&item.object)?;
        let mut object = item.object.clone();
        // As kubectl does with what says no namespace.
        if let Some(meta) = object["metadata"].as_object_mut().filter(|meta| !meta.contains_key("namespace"))
        {
            meta.insert("namespace".into(), "default".into());
        }
        let invalid = parse(object).err()?;
        let mut finding = Finding::new("IST0106", item, invalid.problem.to_string());
        if let Some((file, line)) = &item.place {
            let text = objects.texts.iter().find(|(name, _)| name == file).map(|(_, text)| text.as_str());
            let at = text.and_then(|text| locate(text, *line, &invalid.problem.field));
            finding.place = Some((file.clone(), at.map_or(*line, |(line, _)| line)));
        }
        Some(finding)
    };
    objects.items.iter().filter_map(one).collect()
}

/// What objects are told.
pub(super) fn told(objects: &Objects, statuses: &[StatusUpdate]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for status in statuses {
        let key = &status.key;
        let is_it = |item: &&Item| {
            let namespace = if key.kind.is_namespaced() { item.namespace() } else { "" };
            item.kind() == key.kind.name() && *key.name == *item.name() && *key.namespace == *namespace
        };
        let Some(item) = objects.items.iter().find(is_it) else { continue };
        let parents = status.parents.iter().flatten().flat_map(|(_, conditions)| conditions);
        for condition in status.conditions.iter().chain(parents) {
            // The controller's rights are others: what it finds there is in the object's status.
            let code = code(item, condition).map(|code| match condition.message.contains(UNREAD) {
                true => "WEIR0014",
                false => code,
            });
            findings.extend(code.map(|code| {
                Finding::new(
                    code,
                    item,
                    format!("{} ({} {})", sentence(condition), condition.kind, condition.reason),
                )
            }));
        }
    }
    findings
}

fn sentence(condition: &Condition) -> &str {
    if condition.message.is_empty() { "without a further word" } else { &condition.message }
}

/// What a condition means; `None`: all is well.
fn code(item: &Item, condition: &Condition) -> Option<&'static str> {
    let is_true = condition.status == "True";
    let is_gateway = matches!(item.kind(), "Gateway" | "GatewayClass");
    match (condition.kind.as_str(), is_true) {
        ("PartiallyInvalid", true) => Some("WEIR0011"),
        ("istio.io/WaypointMissing", true) | ("istio.io/WaypointBound", false) => Some("WEIR0012"),
        ("ResolvedRefs", false) => Some("IST0101"),
        // Whether it runs is `weir status`' to say.
        ("Programmed", false) if item.kind() == "Gateway" => None,
        ("Accepted", false) => Some("WEIR0010"),
        // What theirs say beyond that is how it goes, which is `weir status`', too.
        ("Accepted", true) if !condition.message.is_empty() && !is_gateway => Some("WEIR0014"),
        (_, false) if is_gateway => None,
        (_, false) => Some("WEIR0013"),
        _ => None,
    }
}
