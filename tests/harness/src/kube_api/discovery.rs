//! The discovery documents.

use serde_json::{Value, json};

use super::answer::{Answer, Failure, json_answer, text_answer};
use super::kinds::KindDef;
use super::route::Target;

/// The document that is asked for.
pub(crate) fn answer(kinds: &[KindDef], target: &Target) -> Answer {
    let Target::Discovery { group, version } = target else {
        return text_answer(404, "404 page not found\n");
    };
    let document = match (group.as_deref(), version.as_deref()) {
        (None, _) => Some(all_groups(kinds)),
        (Some(""), None) => Some(json!({"kind": "APIVersions", "versions": ["v1"]})),
        (Some(name), None) => group_document(kinds, name),
        (Some(name), Some(version)) => resources(kinds, name, version),
    };
    match document {
        Some(document) => json_answer(200, &document),
        None => Failure::new(404, "NotFound", "the server could not find the requested resource").answer(),
    }
}

/// What is not of the API: health and version.
pub(crate) fn other(path: &str) -> Answer {
    match path {
        "/version" => json_answer(
            200,
            &json!({"major": "1", "minor": "36", "gitVersion": "v1.36.0", "gitCommit": "", "gitTreeState": "",
                "buildDate": "", "goVersion": "", "compiler": "", "platform": "linux/amd64"}),
        ),
        "/readyz" | "/livez" | "/healthz" => text_answer(200, "ok"),
        _ => text_answer(404, "404 page not found\n"),
    }
}

fn all_groups(kinds: &[KindDef]) -> Value {
    let mut names: Vec<&str> = kinds.iter().map(|kind| kind.group.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let named = names.into_iter().filter(|name| !name.is_empty());
    let groups: Vec<Value> = named.filter_map(|name| group_document(kinds, name)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn group_document(kinds: &[KindDef], name: &str) -> Option<Value> {
    let mut versions: Vec<&String> = Vec::new();
    for version in kinds.iter().filter(|kind| kind.group == name).flat_map(|kind| &kind.versions) {
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    let entry = |version: &&String| json!({"groupVersion": format!("{name}/{version}"), "version": version});
    let versions: Vec<Value> = versions.iter().map(entry).collect();
    let preferred = versions.first()?.clone();
    Some(json!({
        "kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": versions, "preferredVersion": preferred,
    }))
}

fn resources(kinds: &[KindDef], group: &str, version: &str) -> Option<Value> {
    let here = |kind: &&KindDef| kind.group == group && kind.versions.iter().any(|v| v == version);
    let mut resources = Vec::new();
    for kind in kinds.iter().filter(here) {
        let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
        let singular = kind.kind.to_lowercase();
        resources.push(json!({
            "name": kind.plural, "singularName": singular, "namespaced": kind.namespaced, "kind": kind.kind,
            "verbs": verbs,
        }));
        if kind.status {
            resources.push(json!({
                "name": format!("{}/status", kind.plural), "singularName": "", "namespaced": kind.namespaced,
                "kind": kind.kind, "verbs": ["get", "patch", "update"],
            }));
        }
    }
    if group == "authentication.k8s.io" {
        resources.push(json!({
            "name": "tokenreviews", "singularName": "tokenreview", "namespaced": false, "kind": "TokenReview",
            "verbs": ["create"],
        }));
    }
    if resources.is_empty() {
        return None;
    }
    let api = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api, "resources": resources}))
}
