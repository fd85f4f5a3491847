//! Commands that ask the configuration: `analyze` and `explain`, on a cluster.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use serde_json::{Value, json};

use crate::cluster::{Cluster, MESH_KINDS};

const SHOP: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Node
metadata: {name: a}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop, uid: u1, annotations: {ambient.istio.io/redirection: enabled}}
spec: {nodeName: a, serviceAccountName: client, containers: [{name: c}]}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}], conditions: [{type: Ready, status: 'True'}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, uid: u2, labels: {app: web}, annotations: {ambient.istio.io/redirection: enabled}}
spec: {nodeName: a, serviceAccountName: web, containers: [{name: c}]}
status: {phase: Running, podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}], conditions: [{type: Ready, status: 'True'}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1], selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080, protocol: TCP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [10.0.0.2], conditions: {ready: true}, nodeName: a, targetRef: {kind: Pod, name: web, namespace: shop}}]
"#;

const DENY: &str = r#"
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nobody, namespace: shop}
spec: {action: DENY, rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/client]}}]}]}
"#;

fn shop() -> Cluster {
    let cluster = Cluster::of_mesh();
    cluster.api.put_yaml(SHOP).unwrap();
    cluster
}

#[test]
fn a_connection_is_explained_and_the_exit_code_is_the_answer() {
    let cluster = shop();
    let out = cluster.weir(&["explain", "shop/client", "web:80"]).expect(0);
    assert!(out.contains("it arrives"), "{out}");
    cluster.api.put_yaml(DENY).unwrap();
    let out = cluster.weir(&["explain", "shop/client", "shop/web:80"]).expect(2);
    assert!(out.contains("it is refused") && out.contains("shop/nobody"), "{out}");
    let out = cluster.weir(&["explain", "shop/client", "10.96.0.1:80", "-o", "json"]).expect(2);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["allowed"], false);
    let answer = cluster.weir(&["explain", "shop/nobody", "web:80"]);
    assert_eq!((answer.code, &*answer.out), (1, ""), "{}", answer.err);
    assert!(answer.err.contains("shop/nobody"), "{}", answer.err);
    // Nothing was sent, and nothing was written.
    assert!(cluster.writes().is_empty());
}

#[test]
fn a_cluster_is_analyzed() {
    let cluster = shop();
    assert_eq!(cluster.weir(&["analyze"]).expect(0), "nothing found\n");
    let route = json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "r", "namespace": "shop"},
        "spec": {"hosts": ["web"], "http": [{"route": [{"destination": {"host": "none"}}]}]}});
    cluster.api.put(route).unwrap();
    let out = cluster.weir(&["analyze", "-o", "json"]).expect(2);
    let found: Vec<Value> = serde_json::from_str(&out).unwrap();
    let code = |one: &Value| one["code"].as_str().unwrap().to_owned();
    assert!(found.iter().map(code).any(|code| code == "IST0101"), "{out}");
    assert!(found.iter().all(|one| one["object"]["name"] == "r" && one["message"].is_string()), "{out}");
    cluster.weir(&["analyze", "-n", "other"]).expect(0);
    let quiet: Vec<_> = found.iter().flat_map(|one| ["-S".to_owned(), code(one)]).collect();
    let quiet: Vec<&str> = std::iter::once("analyze").chain(quiet.iter().map(String::as_str)).collect();
    cluster.weir(&quiet).expect(0);
}

#[test]
fn secrets_that_are_named_are_looked_at_if_one_may() {
    let cluster = shop();
    let gateway = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "waypoint", "namespace": "shop"},
        "spec": {"gatewayClassName": "weir-waypoint", "listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE"}]},
        "status": {"addresses": [{"type": "IPAddress", "value": "10.96.0.9"}]}});
    cluster.api.put(gateway).unwrap();
    let mut service = cluster.api.get("services", "shop", "web").unwrap();
    service["metadata"]["labels"] = json!({"istio.io/use-waypoint": "waypoint"});
    cluster.api.put(service).unwrap();
    let rule = json!({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": "tls", "namespace": "shop"},
        "spec": {"host": "web", "trafficPolicy": {"tls": {"mode": "MUTUAL", "credentialName": "pair"}}}});
    cluster.api.put(rule).unwrap();
    let reads = || {
        cluster
            .api
            .requests()
            .into_iter()
            .filter(|request| request.resource == "secrets")
            .map(|request| request.uri)
            .collect::<Vec<_>>()
    };
    let out = cluster.weir(&["analyze"]).expect(2);
    assert!(out.contains("pair") && !out.contains("was not looked at"), "it is not there: {out}");
    assert!(
        !reads().is_empty() && reads().iter().all(|uri| uri.contains("/namespaces/shop/secrets/pair")),
        "{:?}",
        reads()
    );
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pair", "namespace": "shop"}, "data": {"tls.crt": "QQ==", "tls.key": "U0VDUkVU"}});
    cluster.api.put(secret).unwrap();
    let out = cluster.weir(&["analyze", "-o", "json"]).expect(2);
    assert!(out.contains("tls.crt") && !out.contains("SECRET") && !out.contains("U0VDUkVU"), "{out}");
    let groups = [
        "",
        "discovery.k8s.io",
        "gateway.networking.k8s.io",
        "networking.istio.io",
        "security.istio.io",
        "networking.k8s.io",
    ];
    let resources = [
        "namespaces",
        "nodes",
        "pods",
        "serviceaccounts",
        "services",
        "endpointslices",
        "configmaps",
        "networkpolicies",
    ];
    let resources = [&resources[..], &MESH_KINDS[..]].concat();
    cluster.api.grant(&[json!({"kind": "ClusterRole", "rules": [{"apiGroups": groups, "resources": resources, "verbs": ["get", "list"]}]})]);
    let out = cluster.weir(&["analyze"]).expect(0);
    assert!(out.contains("[WEIR0014]") && out.contains("right to get secrets"), "{out}");
}
