//! What the authors are told.

use serde_json::json;
use weir_resources::Kind;

use super::{DB, GATEWAY, SUBSETS, TO_DB, TO_SUBSETS, mesh};
use crate::tests::{message, told};
use crate::{Changes, StatusUpdate};

#[test]
fn istios_resources_have_conditions() {
    let mut mesh = mesh("");
    let changes = mesh.apply(TO_SUBSETS);
    let said = told(&changes, Kind::VirtualService, "web");
    assert_eq!(said, ["Accepted=True/Accepted", "ResolvedRefs=False/BackendNotFound"]);
    let changes = mesh.apply(SUBSETS);
    let said = told(&changes, Kind::VirtualService, "web");
    assert_eq!(said, ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"]);
    assert_eq!(told(&changes, Kind::DestinationRule, "web"), said);
    assert!(mesh.apply(TO_SUBSETS).statuses.is_empty(), "nothing is said twice");
}

#[test]
fn what_is_wrong_is_named() {
    let changes = mesh("").apply(&TO_DB.replace("route:", "rout:"));
    let said = told(&changes, Kind::VirtualService, "web");
    assert!(said.iter().any(|said| said == "PartiallyInvalid=True/Invalid"), "{said:?}");
    assert!(message(&changes, "web", "PartiallyInvalid").contains("spec.http[0].rout"));
}

#[test]
fn what_is_said_already_is_not_said_again() {
    let mut mesh = mesh("");
    let changes = mesh.apply(TO_DB);
    let update = changes.statuses.iter().find(|u| u.key.kind == Kind::VirtualService).unwrap();
    let conditions = serde_json::to_string(&update.conditions).unwrap();
    let told = TO_DB.replace("spec:", &format!("status: {{conditions: {conditions}}}\nspec:"));
    let changes = mesh.apply(&told);
    assert!(changes.statuses.is_empty());
    assert!(!mesh.index.statuses().iter().any(|update| update.key.kind == Kind::VirtualService));
    let rest = r#"{"type": "PartiallyInvalid", "status": "True", "reason": "Invalid"}"#;
    let changes = mesh.apply(&told.replace("[{\"type", &format!("[{rest}, {{\"type")));
    assert_eq!(changes.statuses[0].remove, ["PartiallyInvalid"]);
}

#[test]
fn what_cannot_be_read_at_all_says_nothing_and_is_told() {
    let mut mesh = mesh(TO_DB);
    let changes = mesh.apply(&TO_DB.replace("namespace: shop}", "namespace: shop, labels: 7}"));
    assert_eq!(told(&changes, Kind::VirtualService, "web"), ["Accepted=False/Invalid"]);
    assert!(message(&changes, "web", "Accepted").contains("metadata.labels"));
    assert!(mesh.backend(DB).is_none(), "nothing names it any more");
    let changes = mesh.apply(TO_DB);
    let said = told(&changes, Kind::VirtualService, "web");
    assert_eq!(said, ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"]);
}

const ROUTE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop, generation: 3}
STATUS
spec:
  parentRefs: [{group: '', kind: Service, name: web}, {name: edge}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
---
";

fn parents(changes: &Changes) -> Vec<String> {
    let of = |update: &StatusUpdate| update.parents.clone();
    let parents = changes.statuses.iter().find_map(of).unwrap_or_default();
    let say = |(parent, conditions): &(serde_json::Value, Vec<weir_resources::Condition>)| {
        let said = conditions.iter().map(|c| format!(" {}={}", c.kind, c.status)).collect::<String>();
        format!("{}{said}", parent["name"].as_str().unwrap())
    };
    parents.iter().map(say).collect()
}

#[test]
fn routes_are_told_by_the_parents_that_are_ours() {
    let mut mesh = mesh("");
    let changes = mesh.apply(&ROUTE.replace("STATUS", ""));
    assert_eq!(parents(&changes), ["web Accepted=True ResolvedRefs=True"]);
    let (parent, conditions) = changes.statuses[0].parents.clone().unwrap().remove(0);
    assert_eq!(parent, json!({"group": "", "kind": "Service", "name": "web"}));
    assert!(conditions.iter().all(|condition| condition.observed_generation == 3));
    let entry =
        json!({"parentRef": parent, "controllerName": "weir.dev/controller", "conditions": conditions});
    let other = json!({"parentRef": {"name": "edge"}, "controllerName": "other", "conditions": []});
    let status = format!("status: {}", json!({"parents": [other, entry]}));
    assert!(mesh.apply(&ROUTE.replace("STATUS", &status)).statuses.is_empty());
    assert!(!mesh.index.statuses().iter().any(|update| update.key.kind == Kind::HttpRoute));
    let changes = mesh.delete(Kind::Service, "shop", "web");
    assert_eq!(parents(&changes), ["web Accepted=False ResolvedRefs=False"]);
}

#[test]
fn what_is_no_parent_of_ours_any_more_is_told_nothing() {
    let mut mesh = mesh("");
    let ours =
        json!({"parentRef": {"name": "old"}, "controllerName": "weir.dev/controller", "conditions": []});
    let status = format!("status: {}", json!({"parents": [ours]}));
    let route = ROUTE.replace("STATUS", &status).replace("{group: '', kind: Service, name: web}, ", "");
    let changes = mesh.apply(&route);
    assert_eq!(changes.statuses[0].parents, Some(Vec::new()));
}

/// Never in silence, and no longer than it is so.
#[test]
fn what_no_waypoint_hears_is_told() {
    let mut mesh = mesh("");
    let elsewhere = |text: &str| text.replace("namespace: shop", "namespace: bank").replace("web", "db");
    let missing = "istio.io/WaypointMissing=True/NoWaypoint";
    let changes = mesh.apply(&elsewhere(TO_DB));
    assert_eq!(told(&changes, Kind::VirtualService, "db")[2], missing);
    let why = missing_of(&changes, "db");
    assert!(
        why.starts_with("db.bank.svc.cluster.local has no waypoint, and its requests do not follow"),
        "{why}"
    );
    assert!(why.contains("istio.io/use-waypoint"), "{why}");
    let changes = mesh.apply(&elsewhere(SUBSETS));
    assert_eq!(told(&changes, Kind::DestinationRule, "db")[2], missing);
    let changes = mesh.apply(&elsewhere(&ROUTE.replace("STATUS", "")));
    assert_eq!(parents(&changes), ["db Accepted=True ResolvedRefs=True ResolvedWaypoints=False"]);

    // One that is asked for and is not there, then one that is.
    let bank =
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: bank, labels: {istio.io/use-waypoint: wp}}\n";
    let changes = mesh.apply(bank);
    let why = missing_of(&changes, "db");
    assert!(why.contains("waypoint bank/wp does not exist"), "{why}");
    let changes = mesh.apply(&GATEWAY.replace("namespace: shop", "namespace: bank"));
    assert!(!told(&changes, Kind::VirtualService, "db").iter().any(|said| said == missing));
    let changes = mesh.apply(&TO_DB.replace("hosts: [web]", "hosts: [gone.shop.svc.cluster.local]"));
    assert!(missing_of(&changes, "web").contains("there is no such service"));
}

/// What a VirtualService is told of its waypoint.
fn missing_of(changes: &Changes, name: &str) -> String {
    let is = |update: &&StatusUpdate| update.key.kind == Kind::VirtualService && *update.key.name == *name;
    let update = changes.statuses.iter().find(is).expect("a status");
    let missing = update.conditions.iter().find(|c| c.kind == "istio.io/WaypointMissing");
    missing.map(|condition| condition.message.clone()).unwrap_or_default()
}
