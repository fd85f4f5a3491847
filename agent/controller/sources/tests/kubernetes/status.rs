//! What objects are told, and how often.

use serde_json::{Value, json};
use weir_harness::kube_api::{Call, Fault, KubeApi};
use weir_resources::{Condition, Key, Kind};
use weir_sources::{StatusPatch, StatusWriter};

use crate::support::{connect, policy, until};

fn accepted(kind: Kind, name: &str, generation: i64, message: &str) -> StatusPatch {
    let condition = Condition {
        kind: "Accepted".into(),
        status: "True".into(),
        reason: "Accepted".into(),
        message: message.into(),
        observed_generation: generation,
    };
    let key = Key::new(kind, "shop", name);
    StatusPatch {
        key,
        generation,
        conditions: vec![condition],
        remove: Vec::new(),
        addresses: None,
        parents: None,
        gateway: None,
    }
}

async fn writer(api: &KubeApi) -> StatusWriter {
    let writer = StatusWriter::new(&connect(api).await);
    tokio::spawn(writer.clone().run());
    writer
}

fn message(api: &KubeApi, resource: &str, name: &str, condition: &str) -> Option<String> {
    let object = api.get(resource, "shop", name)?;
    let conditions = object["status"]["conditions"].as_array()?.clone();
    let found = conditions.into_iter().find(|c| c["type"] == condition)?;
    Some(found["message"].as_str()?.to_owned())
}

#[tokio::test]
async fn a_status_is_written_once_and_conditions_of_others_stay() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    let mut object = policy("p", "v1");
    let other =
        json!({"type": "ZtunnelAccepted", "status": "True", "reason": "Accepted", "message": "istiod's"});
    object["status"] = json!({"conditions": [other], "observedGeneration": "1"});
    api.put(object).unwrap();
    let writer = writer(&api).await;
    writer.apply(accepted(Kind::AuthorizationPolicy, "p", 1, "one"));
    until("the status", || message(&api, "authorizationpolicies", "p", "Accepted").as_deref() == Some("one"))
        .await;
    assert_eq!(message(&api, "authorizationpolicies", "p", "ZtunnelAccepted").as_deref(), Some("istiod's"));
    let writes = api.writes();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].resource, "authorizationpolicies/status");
    assert_eq!(writes[0].content_type, "application/merge-patch+json");
    assert!(writes[0].uri.contains("fieldManager=weir-controller"));
    assert!(writes[0].body["metadata"]["resourceVersion"].is_string(), "{}", writes[0].body);
    assert!(writes[0].body.get("spec").is_none());

    // The same again, as after an election: it is read, and not written.
    writer.apply(accepted(Kind::AuthorizationPolicy, "p", 1, "one"));
    let reads =
        || api.requests().iter().filter(|r| r.verb == "get" && r.resource == "authorizationpolicies").count();
    until("the read", || reads() == 2).await;
    writer.apply(accepted(Kind::AuthorizationPolicy, "p", 1, "two"));
    until("the change", || message(&api, "authorizationpolicies", "p", "Accepted").as_deref() == Some("two"))
        .await;
    assert_eq!(api.writes().len(), 2);
}

/// Between our read and our write somebody else writes: ours is refused, not forced, and done anew on what is there by
/// then. Nobody asks for it again: to the index the object is as it was.
#[tokio::test]
async fn a_conflict_is_a_reason_to_read_again() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.put(policy("p", "v1")).unwrap();
    api.fault(Call::new("patch", "authorizationpolicies/status"), Fault::Status(409, "Conflict"), 2);
    let writer = writer(&api).await;
    writer.apply(accepted(Kind::AuthorizationPolicy, "p", 1, "one"));
    until("the status", || message(&api, "authorizationpolicies", "p", "Accepted").is_some()).await;
    let reads =
        || api.requests().iter().filter(|r| r.verb == "get" && r.resource == "authorizationpolicies").count();
    assert_eq!((reads(), writer.pending()), (3, 0));
}

/// What is about an older generation is no longer true.
#[tokio::test]
async fn an_object_that_was_changed_meanwhile_is_left() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.put(policy("p", "v1")).unwrap();
    let mut newer = policy("p", "v1");
    newer["spec"]["action"] = json!("ALLOW");
    api.put(newer).unwrap();
    let writer = writer(&api).await;
    writer.apply(accepted(Kind::AuthorizationPolicy, "p", 1, "old"));
    writer.apply(accepted(Kind::AuthorizationPolicy, "gone", 1, "old"));
    let reads = || api.requests().iter().filter(|r| r.verb == "get" && r.status == 404).count();
    until("both reads", || reads() == 1).await;
    assert!(api.writes().is_empty());
    writer.apply(accepted(Kind::AuthorizationPolicy, "p", 2, "new"));
    until("the status", || message(&api, "authorizationpolicies", "p", "Accepted").as_deref() == Some("new"))
        .await;
}

#[tokio::test]
async fn an_api_that_is_down_for_a_while_gets_it_later() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.put(policy("p", "v1")).unwrap();
    api.fault(Call::any(), Fault::Close, 2);
    api.fault(Call::any(), Fault::Status(503, "ServiceUnavailable"), 2);
    let writer = writer(&api).await;
    writer.apply(accepted(Kind::AuthorizationPolicy, "p", 1, "one"));
    until("the status", || message(&api, "authorizationpolicies", "p", "Accepted").is_some()).await;
}

/// A kind whose status we may not write does not keep others from theirs.
#[tokio::test]
async fn a_refusal_of_one_kind_is_not_one_of_all() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.put(policy("p", "v1")).unwrap();
    let service: Value = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": [{"port": 80}]}});
    api.put(service).unwrap();
    api.forbid("patch", "authorizationpolicies/status");
    let writer = writer(&api).await;
    writer.apply(accepted(Kind::AuthorizationPolicy, "p", 1, "one"));
    let mut bound = accepted(Kind::Service, "web", 0, "one");
    bound.conditions[0].kind = "istio.io/WaypointBound".into();
    writer.apply(bound);
    until("the service", || message(&api, "services", "web", "istio.io/WaypointBound").is_some()).await;
    assert_eq!(message(&api, "authorizationpolicies", "p", "Accepted"), None);
}

/// A right that comes later counts for what was asked for before.
#[tokio::test]
async fn what_was_refused_is_written_when_it_may_be() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    for n in 0..3 {
        api.put(policy(&format!("p{n}"), "v1")).unwrap();
    }
    api.forbid("patch", "authorizationpolicies/status");
    let writer = writer(&api).await;
    for n in 0..3 {
        writer.apply(accepted(Kind::AuthorizationPolicy, &format!("p{n}"), 1, "one"));
    }
    let refused = || api.writes().len();
    until("a second try", || refused() == 2).await;
    // One is tried for all of its kind, and waits with them again when its answer is there.
    until("all to wait", || writer.pending() == 3).await;
    api.heal();
    for n in 0..3 {
        let name = format!("p{n}");
        until("the status", || message(&api, "authorizationpolicies", &name, "Accepted").is_some()).await;
    }
}

/// Definitions are replaced while a controller runs: other versions, and a status that there was not before.
#[tokio::test]
async fn a_kind_that_is_served_otherwise_is_written_otherwise() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.serve_versions("authorizationpolicies", &["v1beta1"]).unwrap();
    api.put(policy("p", "v1beta1")).unwrap();
    let writer = writer(&api).await;
    writer.apply(accepted(Kind::AuthorizationPolicy, "p", 1, "one"));
    until("the status", || message(&api, "authorizationpolicies", "p", "Accepted").as_deref() == Some("one"))
        .await;
    api.serve_versions("authorizationpolicies", &["v1"]).unwrap();
    writer.apply(accepted(Kind::AuthorizationPolicy, "p", 1, "two"));
    until("the change", || message(&api, "authorizationpolicies", "p", "Accepted").as_deref() == Some("two"))
        .await;
    api.serve_without_status("authorizationpolicies").unwrap();
    writer.apply(accepted(Kind::AuthorizationPolicy, "p", 1, "three"));
    let asks = || api.requests().iter().filter(|r| r.resource == "discovery").count();
    let before = asks();
    until("a look at what is served", || asks() > before).await;
    api.serve("authorizationpolicies").unwrap();
    until("the last", || message(&api, "authorizationpolicies", "p", "Accepted").as_deref() == Some("three"))
        .await;
}
