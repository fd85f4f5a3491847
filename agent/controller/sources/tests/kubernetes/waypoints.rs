//! What runs a waypoint: made, repaired, overlaid, refused, taken away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use weir_harness::kube_api::{Call, Fault, KubeApi, Request};
use weir_render::Settings;
use weir_resources::{Object, parse};
use weir_sources::{WaypointOutcome, WaypointReport, WaypointWish, Waypoints, Wishes};

use crate::support::{LONG, connect, until};

/// One gateway, shop/wp, and one replica that leads.
struct Story {
    api: KubeApi,
    lead: watch::Sender<bool>,
    wishes: watch::Sender<Option<Wishes>>,
    reports: mpsc::Receiver<WaypointReport>,
    _task: Task,
}

/// Ends with the story.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Story {
    async fn begin() -> Self {
        let api = KubeApi::with_mesh_kinds().unwrap();
        Self::on(api).await
    }

    async fn on(api: KubeApi) -> Self {
        let (lead, leading) = watch::channel(true);
        let (wishes, wanted) = watch::channel(None);
        let (sender, reports) = mpsc::channel(16);
        let settings = Settings {
            image: "example.com/weir:1".into(),
            control: "https://weir-controller.weir-system.svc:15012".into(),
            cluster_id: "Kubernetes".into(),
        };
        let cluster = connect(&api).await.root_namespace("weir-system");
        let waypoints = Waypoints::new(&cluster, settings, leading, wanted, sender);
        let task = Task(tokio::spawn(waypoints.run()));
        Self { api, lead, wishes, reports, _task: task }
    }

    /// The gateway's spec is this, beside its class and listener.
    fn gateway(&self, more: Value) {
        let mut gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "wp", "namespace": "shop"},
            "spec": {
                "gatewayClassName": "weir-waypoint",
                "listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE"}],
            },
        });
        let spec = gateway["spec"].as_object_mut().unwrap();
        spec.extend(more.as_object().unwrap().clone());
        let Object::Gateway(gateway) = parse(self.api.put(gateway).unwrap()).unwrap() else { panic!() };
        let wish = WaypointWish { gateway, class: None, network: "".into() };
        let all = BTreeMap::from([(("shop".into(), "wp".into()), Arc::new(wish))]);
        self.wishes.send_replace(Some(Arc::new(all)));
    }

    fn options(&self, data: Value) {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "options", "namespace": "shop"}, "data": data});
        self.api.put(map).unwrap();
    }

    /// What is said of the gateway next.
    async fn outcome(&mut self) -> WaypointOutcome {
        let next = async {
            loop {
                match self.reports.recv().await.unwrap() {
                    WaypointReport::Gateway { outcome, .. } => return outcome,
                    WaypointReport::Api(_) => {}
                }
            }
        };
        timeout(LONG, next).await.unwrap()
    }

    async fn is_invalid(&mut self, why: &str) {
        match self.outcome().await {
            WaypointOutcome::Invalid(message) => assert!(message.contains(why), "{message}"),
            other => panic!("{other:?}"),
        }
    }

    fn get(&self, resource: &str) -> Option<Value> {
        self.api.get(resource, "shop", "wp")
    }

    /// Writes to the objects that run waypoints.
    fn written(&self) -> Vec<String> {
        let ours = |resource: &str| RESOURCES.contains(&resource);
        let writes = self.api.writes().into_iter().filter(|request| ours(&request.resource));
        writes.map(|request| format!("{} {}", request.verb, request.resource)).collect()
    }
}

const RESOURCES: [&str; 5] =
    ["serviceaccounts", "services", "deployments", "horizontalpodautoscalers", "poddisruptionbudgets"];

fn with_options() -> Value {
    json!({"infrastructure": {"parametersRef": {"group": "", "kind": "ConfigMap", "name": "options"}}})
}

#[tokio::test]
async fn a_gateway_gets_its_objects_which_are_repaired_and_go_with_it() {
    let mut story = Story::begin().await;
    story.gateway(json!({}));
    assert_eq!(story.outcome().await, WaypointOutcome::Deployed);
    assert_eq!(story.written(), ["patch serviceaccounts", "patch services", "patch deployments"]);
    assert_eq!(story.get("services").unwrap()["spec"]["ports"][1]["port"], 15008);

    // Somebody changes what is ours, and adds what is not.
    let mut deployment = story.get("deployments").unwrap();
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = json!("example.com/other:1");
    deployment["spec"]["replicas"] = json!(4);
    deployment["metadata"]["annotations"]["a"] = json!("b");
    story.api.put(deployment).unwrap();
    let image = |story: &Story| {
        story.get("deployments").map(|d| d["spec"]["template"]["spec"]["containers"][0]["image"].clone())
    };
    until("our image", || image(&story) == Some(json!("example.com/weir:1"))).await;
    let deployment = story.get("deployments").unwrap();
    assert_eq!(deployment["spec"]["replicas"], 4, "how many there are is not ours to say");
    assert_eq!(deployment["metadata"]["annotations"]["a"], "b");

    story.api.delete("services", "shop", "wp").unwrap();
    until("the service", || story.get("services").is_some()).await;

    story.wishes.send_replace(Some(Arc::default()));
    story.api.delete("gateways", "shop", "wp").unwrap();
    assert!(RESOURCES.iter().all(|resource| story.get(resource).is_none()), "they go with it");
}

#[tokio::test]
async fn what_is_as_it_should_be_is_not_written() {
    let mut story = Story::begin().await;
    story.gateway(json!({}));
    assert_eq!(story.outcome().await, WaypointOutcome::Deployed);
    let before = story.written().len();
    // Its own status, and one of somebody else's objects.
    let mut deployment = story.get("deployments").unwrap();
    deployment["status"] = json!({"readyReplicas": 1});
    story.api.put(deployment).unwrap();
    story.options(json!({"x": "y"}));
    story.gateway(json!({"infrastructure": {"labels": {"team": "a"}}}));
    until("a label", || story.get("services").unwrap()["metadata"]["labels"]["team"] == "a").await;
    until("all of them", || story.written().len() == before + 3).await;
}

#[tokio::test]
async fn overlays_are_laid_and_a_broken_one_leaves_what_runs() {
    let mut story = Story::begin().await;
    story.gateway(with_options());
    story.is_invalid("spec.infrastructure.parametersRef: there is no ConfigMap shop/options").await;
    assert!(story.written().is_empty());
    let overlay = |text: &str| json!({"deployment": text, "service": "metadata: {annotations: {a: b}}"});
    story.options(overlay("spec: {template: {spec: {priorityClassName: high}}}"));
    assert_eq!(story.outcome().await, WaypointOutcome::Deployed);
    let class = |story: &Story| {
        story.get("deployments").unwrap()["spec"]["template"]["spec"]["priorityClassName"].clone()
    };
    assert_eq!(class(&story), "high");

    story.options(overlay("spec: {selector: null}"));
    story.is_invalid("data.deployment: spec.selector: is how the object is found").await;
    // What only the API knows to be wrong: nothing is written, the Service neither.
    let mut bad = overlay("spec: {template: {spec: {containers: [{name: beside}]}}}");
    bad["service"] = json!("metadata: {annotations: {a: c}}");
    story.options(bad);
    story.is_invalid("spec.template.spec.containers[1].image: Required value").await;
    assert_eq!(story.get("services").unwrap()["metadata"]["annotations"]["a"], "b");
    assert_eq!(class(&story), "high");

    story.options(json!({}));
    assert_eq!(story.outcome().await, WaypointOutcome::Deployed);
    assert_eq!(class(&story), Value::Null);
    assert_eq!(story.get("services").unwrap()["metadata"]["annotations"].get("a"), None);
}

#[tokio::test]
async fn defaults_of_a_class_come_first() {
    let mut story = Story::begin().await;
    let defaults = |text: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "defaults", "namespace": "weir-system",
            "labels": {"gateway.istio.io/defaults-for-class": "weir-waypoint"}}, "data": {"deployment": text}})
    };
    story
        .api
        .put(defaults("spec: {template: {spec: {priorityClassName: low, dnsPolicy: Default}}}"))
        .unwrap();
    story.options(json!({"deployment": "spec: {template: {spec: {priorityClassName: high}}}"}));
    story.gateway(with_options());
    assert_eq!(story.outcome().await, WaypointOutcome::Deployed);
    let pod = |story: &Story| story.get("deployments").unwrap()["spec"]["template"]["spec"].clone();
    assert_eq!(
        (&pod(&story)["priorityClassName"], &pod(&story)["dnsPolicy"]),
        (&json!("high"), &json!("Default"))
    );
    story.api.put(defaults("nothing")).unwrap();
    story.is_invalid("ConfigMap weir-system/defaults data.deployment").await;
    story.api.delete("configmaps", "weir-system", "defaults").unwrap();
    assert_eq!(story.outcome().await, WaypointOutcome::Deployed);
    assert_eq!(pod(&story).get("dnsPolicy"), None);
}

#[tokio::test]
async fn an_autoscaler_counts_alone_and_goes_when_it_is_not_asked_for() {
    let mut story = Story::begin().await;
    story.options(json!({"deployment": "spec: {replicas: 3}"}));
    story.gateway(with_options());
    assert_eq!(story.outcome().await, WaypointOutcome::Deployed);
    let replicas = |story: &Story| story.get("deployments").unwrap()["spec"]["replicas"].clone();
    assert_eq!(replicas(&story), 3);
    let scaler = json!({"deployment": "spec: {replicas: 3}", "horizontalPodAutoscaler": "spec: {maxReplicas: 9}",
        "podDisruptionBudget": "spec: {minAvailable: 1}"});
    story.options(scaler);
    until("both", || RESOURCES.iter().all(|resource| story.get(resource).is_some())).await;
    assert_eq!(replicas(&story), 3, "nobody has scaled yet");
    let mut scaled = story.get("deployments").unwrap();
    scaled["spec"]["replicas"] = json!(7);
    story.api.put(scaled).unwrap();
    story.options(json!({"horizontalPodAutoscaler": "spec: {maxReplicas: 8}"}));
    until("the budget to go", || story.get("poddisruptionbudgets").is_none()).await;
    assert_eq!(story.get("horizontalpodautoscalers").unwrap()["spec"]["maxReplicas"], 8);
    assert_eq!(replicas(&story), 7);
    story.options(json!({}));
    until("the autoscaler to go", || story.get("horizontalpodautoscalers").is_none()).await;
    assert_eq!(replicas(&story), 7);
}

/// Also one that we did not make.
#[tokio::test]
async fn replicas_are_left_to_somebodys_autoscaler() {
    let mut story = Story::begin().await;
    story.options(json!({"deployment": "spec: {replicas: 3}"}));
    story.gateway(with_options());
    assert_eq!(story.outcome().await, WaypointOutcome::Deployed);
    let scaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "theirs", "namespace": "shop"},
        "spec": {"maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "wp"}}});
    story.api.put(scaler).unwrap();
    let owned = |story: &Story| {
        let managers = story.get("deployments").unwrap()["metadata"]["managedFields"].clone();
        let ours = |entry: &&Value| entry["manager"] == "weir.dev/gateway-controller";
        let managers = managers.as_array().unwrap().clone();
        managers
            .iter()
            .find(ours)
            .is_some_and(|entry| entry["fieldsV1"]["f:spec"].get("f:replicas").is_some())
    };
    until("the count to be theirs", || !owned(&story)).await;
    assert_eq!(story.get("deployments").unwrap()["spec"]["replicas"], 3);
}

#[tokio::test]
async fn what_is_not_ours_is_left_and_nothing_is_made_beside_it() {
    let mut story = Story::begin().await;
    let foreign = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "wp", "namespace": "shop"}, "spec": {"ports": [{"port": 80}]}});
    story.api.put(foreign).unwrap();
    let before = story.get("services");
    story.gateway(json!({}));
    match story.outcome().await {
        WaypointOutcome::Foreign(message) => {
            assert!(
                message.starts_with("Service shop/wp is there and was not made by weir-controller"),
                "{message}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((story.get("services"), story.get("deployments")), (before, None));
    assert!(story.written().is_empty());
    story.api.delete("services", "shop", "wp").unwrap();
    assert_eq!(story.outcome().await, WaypointOutcome::Deployed);
}

/// Between our look and our write.
#[rstest]
#[case::with_fields_of_ours("apps/v1", "Deployment", "deployments", json!({
    "selector": {"matchLabels": {"app": "x"}}, "template": {"spec": {"containers": [{"name": "x", "image": "y"}]}},
}))]
#[case::with_none("v1", "ServiceAccount", "serviceaccounts", Value::Null)]
#[tokio::test]
async fn what_comes_at_the_last_moment_is_not_taken_over(
    #[case] version: &str,
    #[case] kind: &str,
    #[case] resource: &str,
    #[case] spec: Value,
) {
    let mut story = Story::begin().await;
    story.api.fault(Call::new("patch", "serviceaccounts"), Fault::Slow(Duration::from_millis(500)), 1);
    story.gateway(json!({}));
    // The last look before the first write.
    let looked = |request: &Request| request.verb == "get" && request.resource == "deployments";
    until("a look", || story.api.requests().iter().any(looked)).await;
    let theirs = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "wp", "namespace": "shop"}, "spec": spec});
    let theirs = story.api.put(theirs).unwrap();
    assert!(matches!(story.outcome().await, WaypointOutcome::Foreign(_)));
    let now = story.get(resource).unwrap();
    assert_eq!((&now["spec"], now["metadata"].get("labels")), (&theirs["spec"], None));
    assert_eq!(now["metadata"].get("ownerReferences"), None);
}

#[tokio::test]
async fn who_comes_after_a_replica_that_died_ends_its_work() {
    let mut story = Story::begin().await;
    story.api.fault(Call::new("patch", "deployments"), Fault::Close, usize::MAX);
    story.gateway(json!({}));
    assert!(matches!(story.outcome().await, WaypointOutcome::Failed(_)));
    assert!(story.get("services").is_some() && story.get("deployments").is_none());
    story.lead.send_replace(false);
    let Story { api, wishes, _task, .. } = story;
    let wanted = wishes.borrow().clone();
    drop(_task);
    api.heal();
    let mut next = Story::on(api).await;
    next.wishes.send_replace(wanted);
    assert_eq!(next.outcome().await, WaypointOutcome::Deployed);
    assert!(next.get("deployments").is_some());
}

#[tokio::test]
async fn who_does_not_lead_writes_nothing_and_a_class_is_made_once() {
    let story = Story::begin().await;
    until("the class", || story.api.get("gatewayclasses", "", "weir-waypoint").is_some()).await;
    let class = story.api.get("gatewayclasses", "", "weir-waypoint").unwrap();
    assert_eq!(class["spec"]["controllerName"], "weir.dev/controller");
    story.lead.send_replace(false);
    until("its watches to end", || story.api.watches("deployments") == 0).await;
    story.gateway(json!({}));
    story.api.delete("gatewayclasses", "", "weir-waypoint").unwrap();
    assert!(story.written().is_empty());
    story.lead.send_replace(true);
    until("a deployment", || story.get("deployments").is_some()).await;
}
