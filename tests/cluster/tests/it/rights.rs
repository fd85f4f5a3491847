//! The rights of a controller: enough, and no more.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use weir_harness::until_ok;

use crate::api::{ApiUnderTest, LONG};
use crate::replica::Replica;

/// Service account of the manifest.
pub(crate) const ACCOUNT: &str = "weir-controller";

/// `deploy/chart/weir/files/controller-rbac.yaml` for another namespace, and the namespace itself. What belongs to the whole cluster gets a name of its own.
pub(crate) fn manifest(namespace: &str) -> Result<Vec<Value>> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/chart/weir/files/controller-rbac.yaml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let text = text.replace("weir-system", namespace);
    let mut objects = vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})];
    for document in weir_resources::documents(&text) {
        let (_, mut object) = document.map_err(|problem| anyhow::anyhow!("{problem}"))?;
        let own = json!(cluster_wide(namespace));
        if object["kind"].as_str().is_some_and(|kind| kind.starts_with("ClusterRole")) {
            object["metadata"]["name"] = own.clone();
        }
        if object["roleRef"]["kind"] == "ClusterRole" {
            object["roleRef"]["name"] = own;
        }
        objects.push(object);
    }
    Ok(objects)
}

/// Name of the ClusterRole and its binding.
pub(crate) fn cluster_wide(namespace: &str) -> String {
    format!("weir-controller-{namespace}")
}

/// Objects of all kinds, each of which gets a status.
fn objects(api: &ApiUnderTest) -> Vec<Value> {
    let object = |group: &str, kind: &str, spec: Value| json!({"apiVersion": group, "kind": kind, "metadata": {"name": "x", "namespace": api.namespace}, "spec": spec});
    let mut service = object("v1", "Service", json!({"ports": [{"port": 80}]}));
    service["metadata"]["labels"] = json!({"istio.io/use-waypoint": "x"});
    let listener = json!({"name": "mesh", "port": 15008, "protocol": "HBONE"});
    let parent = json!({"group": "", "kind": "Service", "name": "x"});
    let mut options = object("v1", "ConfigMap", Value::Null);
    options["data"] = json!({
        "horizontalPodAutoscaler": "spec: {maxReplicas: 3}", "podDisruptionBudget": "spec: {minAvailable: 1}",
    });
    vec![
        service,
        options,
        object("security.istio.io/v1", "AuthorizationPolicy", json!({"rules": [{}]})),
        object("security.istio.io/v1", "PeerAuthentication", json!({"mtls": {"mode": "STRICT"}})),
        object(
            "networking.istio.io/v1",
            "ServiceEntry",
            json!({
                "hosts": ["x.example.com"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}], "resolution": "DNS",
            }),
        ),
        object("networking.istio.io/v1", "WorkloadEntry", json!({"address": "192.0.2.1"})),
        object("networking.istio.io/v1", "WorkloadGroup", json!({"template": {}})),
        object(
            "gateway.networking.k8s.io/v1",
            "Gateway",
            json!({
                "gatewayClassName": "weir-waypoint", "listeners": [listener],
                "infrastructure": {"parametersRef": {"group": "", "kind": "ConfigMap", "name": "x"}},
            }),
        ),
        object("networking.istio.io/v1", "VirtualService", json!({"hosts": ["x"]})),
        object("networking.istio.io/v1", "DestinationRule", json!({"host": "x"})),
        object("gateway.networking.k8s.io/v1", "HTTPRoute", json!({"parentRefs": [parent]})),
        object("gateway.networking.k8s.io/v1", "GRPCRoute", json!({"parentRefs": [parent]})),
    ]
}

/// What runs a waypoint.
const RUNS: [&str; 5] =
    ["serviceaccounts", "services", "deployments", "horizontalpodautoscalers", "poddisruptionbudgets"];

const KINDS: [&str; 11] = [
    "services",
    "authorizationpolicies",
    "peerauthentications",
    "serviceentries",
    "workloadentries",
    "workloadgroups",
    "gateways",
    "virtualservices",
    "destinationrules",
    "httproutes",
    "grpcroutes",
];

/// The manifest is what the code needs, verb by verb: nothing is refused to it, and nothing is granted for nothing.
#[test]
fn the_manifest_is_what_the_code_needs() -> Result<()> {
    let api = ApiUnderTest::fake("rights")?;
    let fake = api.faulty();
    for resource in ["gateways", "httproutes", "grpcroutes", "referencegrants"] {
        fake.serve(resource)?;
    }
    for object in objects(&api) {
        api.apply(&object)?;
    }
    let flags = ["--admission", "127.0.0.1:0", "--waypoint-image", "example.com/weir:1"];
    let replica = Replica::start_with(&api, &flags)?;
    until_ok("ready", LONG, || replica.is_ready()).with_context(|| replica.log())?;
    // A kind that comes later, as when the Gateway API is installed after the mesh.
    fake.serve("gatewayclasses")?;
    for resource in KINDS {
        until_ok(&format!("the status of {resource}"), LONG, || {
            let object = api.get(resource, "x")?.context("it is gone")?;
            let told = object["status"].pointer("/conditions/0").or(object["status"].pointer("/parents/0"));
            if told.is_none() {
                bail!("{object}")
            }
            Ok(())
        })?;
    }
    // It has a service already, which is not ours: the Gateway is given another name, and then again.
    for name in ["first", "second"] {
        let mut gateway = api.get("gateways", "x")?.context("it is gone")?;
        gateway["metadata"]["annotations"] = json!({"gateway.istio.io/name-override": name});
        api.apply(&gateway)?;
        until_ok("its objects", LONG, || {
            for resource in RUNS {
                api.get(resource, name)?.with_context(|| format!("no {resource} {name}"))?;
            }
            Ok(())
        })
        .with_context(|| replica.log())?;
    }
    until_ok("the first ones to go", LONG, || {
        for resource in RUNS {
            if api.get(resource, "first")?.is_some() {
                bail!("{resource} is there")
            }
        }
        Ok(())
    })?;
    until_ok("the class, and its status", LONG, || {
        let class = fake.get("gatewayclasses", "", "weir-waypoint").context("no class")?;
        class["status"].pointer("/supportedFeatures/0").context("no features").map(drop)
    })?;
    until_ok("the roots and the webhook", LONG, || {
        api.get("configmaps", "istio-ca-root-cert")?.context("no roots")?;
        fake.get("validatingwebhookconfigurations", "", "weir-controller").context("no webhook")?;
        Ok(())
    })?;
    until_ok("a renewed lease and all watches", LONG, || {
        let unused = fake.unused_rights();
        // A token, a rotation, and pods that are captured: stories of their own.
        let expected = [
            "create tokenreviews",
            "list secrets",
            "watch secrets",
            "update secrets weir-ca",
            "get pods",
            "patch pods/status",
        ];
        let others: Vec<_> = unused.iter().filter(|right| !expected.contains(&right.as_str())).collect();
        if others.is_empty() { Ok(()) } else { bail!("rights that nobody needs: {others:?}") }
    })?;
    let refused: Vec<_> = fake.requests().into_iter().filter(|request| request.status == 403).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    Ok(())
}
