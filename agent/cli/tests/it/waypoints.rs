//! `weir waypoint`.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use serde_json::{Value, json};

use crate::cluster::{Cluster, weir};

const USE: &str = "istio.io/use-waypoint";

fn label(cluster: &Cluster, name: &str) -> Value {
    cluster.api.get("namespaces", "", name).unwrap()["metadata"]["labels"][USE].clone()
}

fn program(cluster: &Cluster, name: &str, status: &str) {
    let mut gateway = cluster.api.get("gateways", "shop", name).unwrap();
    gateway["status"] = json!({"conditions": [{"type": "Programmed", "status": status, "reason": "Why", "message": "because"}]});
    cluster.api.put(gateway).unwrap();
}

fn shop() -> Cluster {
    let cluster = Cluster::of_mesh();
    cluster.api.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})).unwrap();
    cluster
}

#[test]
fn what_is_generated_is_what_is_applied() {
    let text = weir(&["waypoint", "generate", "-n", "shop", "--for", "all"]).expect(0);
    let generated: Value = weir_resources::documents(&text).next().unwrap().unwrap().1;
    assert_eq!(
        generated,
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "waypoint", "namespace": "shop", "labels": {"istio.io/waypoint-for": "all"}},
            "spec": {"gatewayClassName": "weir-waypoint", "listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE"}]},
        })
    );
    let cluster = shop();
    let out = cluster.weir(&["waypoint", "apply", "-n", "shop", "--for", "all"]).expect(0);
    assert_eq!(out, "Gateway shop/waypoint applied\n");
    let applied = cluster.api.get("gateways", "shop", "waypoint").unwrap();
    assert_eq!(
        (&applied["spec"], &applied["metadata"]["labels"]),
        (&generated["spec"], &generated["metadata"]["labels"])
    );
    assert_eq!(label(&cluster, "shop"), Value::Null, "nobody asked for that");
}

#[test]
fn a_waypoint_comes_is_looked_at_and_goes() {
    let cluster = shop();
    let out = cluster.weir(&["waypoint", "apply", "-n", "shop", "--enroll-namespace"]).expect(0);
    assert!(out.contains("Namespace shop labelled istio.io/use-waypoint=waypoint\n"), "{out}");
    assert_eq!(label(&cluster, "shop"), "waypoint");
    let out = cluster.weir(&["waypoint", "status", "-n", "shop"]).expect(2);
    assert!(out.contains("no controller has looked at it yet"), "{out}");
    program(&cluster, "waypoint", "False");
    assert!(cluster.weir(&["waypoint", "status", "-n", "shop"]).expect(2).contains("Why because"));
    let answer = cluster.weir(&["waypoint", "apply", "-n", "shop", "--wait", "--timeout", "0"]);
    assert_eq!(answer.code, 1);
    assert!(
        answer.err.contains("Gateway shop/waypoint is not programmed after 0 s: Why because"),
        "{}",
        answer.err
    );
    program(&cluster, "waypoint", "True");
    cluster.weir(&["waypoint", "apply", "-n", "shop", "--wait"]).expect(0);
    let out = cluster.weir(&["waypoint", "status", "-n", "shop", "-o", "json"]).expect(0);
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap(),
        json!({
            "waypoint": {"namespace": "shop", "name": "waypoint", "class": "weir-waypoint", "traffic": "service", "programmed": true, "message": "Why because"},
            "usedBy": [{"apiVersion": "v1", "kind": "Namespace", "name": "shop"}],
        })
    );
    let out = cluster.weir(&["waypoint", "list"]).expect(0);
    assert_eq!(
        out,
        "NAMESPACE  NAME      FOR      PROGRAMMED  MESSAGE\nshop       waypoint  service  True        Why because\n"
    );
    assert_eq!(cluster.weir(&["waypoint", "list", "-n", "other", "-o", "json"]).expect(0).trim(), "[]");

    let out = cluster.weir(&["waypoint", "delete", "waypoint", "-n", "shop"]).expect(0);
    assert!(out.contains("still asks for it: traffic to its services is refused"), "{out}");
    assert!(cluster.api.get("gateways", "shop", "waypoint").is_none());
    cluster.weir(&["waypoint", "apply", "-n", "shop"]).expect(0);
    cluster.weir(&["waypoint", "delete", "--all", "--unlabel", "-n", "shop"]).expect(0);
    assert_eq!(
        (cluster.api.get("gateways", "shop", "waypoint"), label(&cluster, "shop")),
        (None, Value::Null)
    );
}

#[test]
fn what_is_somebody_elses_stays() {
    let cluster = shop();
    let gateway = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "theirs", "namespace": "shop"},
        "spec": {"gatewayClassName": "istio-waypoint", "listeners": []}});
    cluster.api.put(gateway).unwrap();
    let fails = |arguments: &[&str], why: &str| {
        let answer = cluster.weir(arguments);
        assert_eq!((answer.code, &*answer.out), (1, ""), "{}", answer.err);
        assert!(answer.err.contains(why), "{}", answer.err);
    };
    fails(&["waypoint", "delete", "theirs", "-n", "shop"], "is no waypoint of Weir's");
    fails(&["waypoint", "delete", "--all", "-n", "shop"], "name the waypoints to delete, or give --all");
    fails(&["waypoint", "delete", "none", "-n", "shop"], "there is no Gateway shop/none");
    fails(&["waypoint", "status", "none", "-n", "shop"], "there is no Gateway shop/none");
    fails(&["waypoint", "apply", "-n", "nowhere"], "there is no Namespace nowhere");
    let labelled = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {USE: "theirs"}}});
    cluster.api.put(labelled).unwrap();
    fails(&["waypoint", "apply", "-n", "shop", "--enroll-namespace"], "--overwrite makes it use waypoint");
    assert!(cluster.api.get("gateways", "shop", "waypoint").is_none(), "nothing was done");
    cluster.weir(&["waypoint", "apply", "-n", "shop", "--enroll-namespace", "--overwrite"]).expect(0);
    assert_eq!(label(&cluster, "shop"), "waypoint");
    assert!(cluster.api.get("gateways", "shop", "theirs").is_some());
}
