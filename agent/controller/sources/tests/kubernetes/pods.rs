//! What pods are told of themselves, and nodes of their agent.

use serde_json::{Value, json};
use weir_harness::kube_api::{Call, Fault, KubeApi};
use weir_resources::Condition;
use weir_sources::{PodPatch, PodWriter, Untaint};

use crate::support::{connect, pod, until};

const ANNOTATION: &str = "ambient.istio.io/redirection";

fn patch(uid: &str, is: bool) -> PodPatch {
    let condition = Condition {
        kind: "weir.dev/Captured".into(),
        status: if is { "True" } else { "False" }.into(),
        reason: "Why".into(),
        message: "because".into(),
        observed_generation: 0,
    };
    PodPatch {
        namespace: "shop".into(),
        name: "web".into(),
        uid: uid.into(),
        annotations: vec![(ANNOTATION, is.then_some("enabled"))],
        conditions: vec![condition],
        remove: Vec::new(),
    }
}

async fn writer(api: &KubeApi) -> PodWriter {
    let writer = PodWriter::new(&connect(api).await);
    tokio::spawn(writer.clone().run());
    writer
}

fn put(api: &KubeApi) -> String {
    let mut pod = pod("web", "v1");
    pod["metadata"]["annotations"] = json!({"mine": "1"});
    api.put(pod).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned()
}

fn web(api: &KubeApi) -> Value {
    api.get("pods", "shop", "web").unwrap()
}

fn status(api: &KubeApi, kind: &str) -> Option<String> {
    let web = web(api);
    let found = web["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == kind).cloned()?;
    Some(found["status"].as_str()?.to_owned())
}

#[tokio::test]
async fn a_pod_says_whether_it_is_captured_and_nothing_else_changes() {
    let api = KubeApi::start().unwrap();
    let (uid, writer) = (put(&api), writer(&api).await);
    let before = web(&api);
    writer.apply(patch(&uid, true));
    until("the annotation", || web(&api)["metadata"]["annotations"][ANNOTATION] == "enabled").await;
    assert_eq!(status(&api, "weir.dev/Captured").as_deref(), Some("True"));
    assert_eq!(status(&api, "Ready").as_deref(), Some("True"), "the kubelet's stay");
    assert_eq!(
        (&web(&api)["spec"], &web(&api)["metadata"]["annotations"]["mine"]),
        (&before["spec"], &json!("1"))
    );
    let writes = api.writes();
    assert_eq!((writes.len(), &*writes[0].resource), (1, "pods/status"));

    // The same again is read, and not written.
    writer.apply(patch(&uid, true));
    writer.apply(patch(&uid, false));
    until("the change", || status(&api, "weir.dev/Captured").as_deref() == Some("False")).await;
    assert!(web(&api)["metadata"]["annotations"].get(ANNOTATION).is_none());

    let gone = PodPatch { conditions: Vec::new(), remove: vec!["weir.dev/Captured"], ..patch(&uid, false) };
    writer.apply(gone);
    until("no condition", || status(&api, "weir.dev/Captured").is_none()).await;
    assert_eq!(status(&api, "Ready").as_deref(), Some("True"));
}

#[tokio::test]
async fn a_pod_of_the_same_name_that_came_after_is_another() {
    let api = KubeApi::start().unwrap();
    put(&api);
    let writer = writer(&api).await;
    writer.apply(patch("of-another", true));
    let reads = || api.requests().iter().filter(|r| r.verb == "get" && r.resource == "pods").count();
    until("a look", || reads() == 1).await;
    writer.apply(PodPatch { name: "none".into(), ..patch("x", true) });
    until("another", || reads() == 2).await;
    assert!(api.writes().is_empty());
}

#[tokio::test]
async fn conflicts_and_an_api_that_is_down_only_take_time() {
    let api = KubeApi::start().unwrap();
    let uid = put(&api);
    api.fault(Call::new("patch", "pods/status"), Fault::Status(409, "Conflict"), 2);
    api.fault(Call::any(), Fault::Status(503, "ServiceUnavailable"), 2);
    let writer = writer(&api).await;
    writer.apply(patch(&uid, true));
    until("the annotation", || web(&api)["metadata"]["annotations"][ANNOTATION] == "enabled").await;
}

#[tokio::test]
async fn a_taint_goes_and_the_others_stay() {
    let api = KubeApi::start().unwrap();
    let other = json!({"key": "other", "effect": "NoSchedule"});
    let ours = json!({"key": "weir.dev/agent-not-ready", "effect": "NoSchedule", "value": "x"});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}, "spec": {"taints": [ours, other]}});
    api.put(node).unwrap();
    // What the chart grants for it, and nothing else.
    let rights =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../../deploy/chart/weir/files/controller-untaint-rbac.yaml");
    let rights = std::fs::read_to_string(rights).unwrap();
    let rights: Vec<_> = weir_resources::documents(&rights).map(|document| document.unwrap().1).collect();
    api.grant(&rights);
    let (nodes, untaint) = Untaint::new(&connect(&api).await, "weir.dev/agent-not-ready");
    tokio::spawn(untaint.run());
    for name in ["none", "a", "a"] {
        nodes.send(name.into()).unwrap();
    }
    let reads = || api.requests().iter().filter(|r| r.verb == "get" && r.resource == "nodes").count();
    until("all to be looked at", || reads() == 3).await;
    assert_eq!(api.get("nodes", "", "a").unwrap()["spec"]["taints"], json!([other]));
    assert_eq!(api.writes().len(), 1);
    assert!(api.unused_rights().is_empty(), "{:?}", api.unused_rights());
}
