//! Installations: come, change, are looked at, and go.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use serde_json::{Value, json};

use crate::cluster::Cluster;

const SYSTEM: &str = "weir-system";

/// Every object of kinds that an installation touches.
fn names(cluster: &Cluster) -> Vec<String> {
    let mut names = Vec::new();
    for (resource, namespace, name) in [
        ("namespaces", "", SYSTEM),
        ("serviceaccounts", SYSTEM, "weir-controller"),
        ("serviceaccounts", SYSTEM, "weir-agent"),
        ("clusterroles", "", "weir-controller"),
        ("clusterrolebindings", "", "weir-controller"),
        ("roles", SYSTEM, "weir-controller"),
        ("rolebindings", SYSTEM, "weir-controller"),
        ("services", SYSTEM, "weir-controller"),
        ("poddisruptionbudgets", SYSTEM, "weir-controller"),
        ("deployments", SYSTEM, "weir-controller"),
        ("daemonsets", SYSTEM, "weir-agent"),
        ("daemonsets", SYSTEM, "weir-holder"),
        ("configmaps", SYSTEM, "weir-installation"),
        ("configmaps", "default", "istio-ca-root-cert"),
        ("secrets", SYSTEM, "weir-ca"),
        ("leases", SYSTEM, "weir-controller"),
        ("validatingwebhookconfigurations", "", "weir-controller"),
        ("customresourcedefinitions", "", "gateways.gateway.networking.k8s.io"),
        ("customresourcedefinitions", "", "virtualservices.networking.istio.io"),
        ("gatewayclasses", "", "weir-waypoint"),
    ] {
        if cluster.api.get(resource, namespace, name).is_some() {
            names.push(format!("{resource}/{name}"));
        }
    }
    names
}

/// What a controller writes while it runs.
fn controller_writes(cluster: &Cluster) {
    let object = |api: &str, kind: &str, namespace: &str, name: &str| json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "weir"}}});
    for object in [
        object("v1", "Secret", SYSTEM, "weir-ca"),
        object("v1", "ConfigMap", "default", "istio-ca-root-cert"),
        object("coordination.k8s.io/v1", "Lease", SYSTEM, "weir-controller"),
        object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", "weir-controller"),
    ] {
        cluster.api.put(object).unwrap();
    }
}

#[test]
fn comes_and_goes_and_leaves_nothing() {
    let cluster = Cluster::start();
    // Not ours: the same name, without our label.
    let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio-ca-root-cert", "namespace": "other"}});
    cluster.api.put(other).unwrap();
    let before = names(&cluster);
    let out = cluster.weir(&["install", "--profile", "demo"]).expect(0);
    assert!(out.contains("DaemonSet") && out.contains("create") && out.contains("Weir runs"), "{out}");
    let installed = names(&cluster);
    assert_eq!(installed.len(), 15, "{installed:?}");
    controller_writes(&cluster);
    cluster.weir(&["verify-install"]).expect(0);

    let out = cluster.weir(&["uninstall", "--yes"]).expect(0);
    assert!(out.contains("weir-agent"), "{out}");
    let kept = [
        "namespaces/weir-system",
        "configmaps/weir-installation",
        "secrets/weir-ca",
        "customresourcedefinitions/gateways.gateway.networking.k8s.io",
        "customresourcedefinitions/virtualservices.networking.istio.io",
    ];
    assert_eq!(names(&cluster), kept);
    cluster.weir(&["uninstall", "--yes", "--purge"]).expect(0);
    assert_eq!(names(&cluster), before);
    assert!(cluster.api.get("configmaps", "other", "istio-ca-root-cert").is_some(), "it was not ours");
    let again = cluster.weir(&["uninstall", "--yes", "--purge"]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("nothing is installed in namespace weir-system"), "{}", again.err);
}

/// What runs waypoints whose Gateways stay, and what was said of pods that go on.
#[test]
fn nothing_of_the_mesh_is_left_on_what_stays() {
    let cluster = Cluster::start();
    cluster.weir(&["install"]).expect(0);
    let labels = json!({"gateway.istio.io/managed": "weir.dev-mesh-controller"});
    for (api, kind) in [("apps/v1", "Deployment"), ("v1", "Service"), ("v1", "ServiceAccount")] {
        let metadata = json!({"name": "waypoint", "namespace": "shop", "labels": labels});
        cluster.api.put(json!({"apiVersion": api, "kind": kind, "metadata": metadata})).unwrap();
    }
    let annotations = json!({"ambient.istio.io/redirection": "enabled", "own": "yes"});
    let conditions =
        json!([{"type": "Ready", "status": "True"}, {"type": "weir.dev/Captured", "status": "True"}]);
    let pod = |name: &str, conditions: &Value| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "status": {"conditions": conditions},
            "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
        })
    };
    cluster.api.put(pod("ours", &conditions)).unwrap();
    cluster.api.put(pod("theirs", &json!([{"type": "Ready", "status": "True"}]))).unwrap();
    cluster.weir(&["uninstall", "--yes"]).expect(0);
    for resource in ["deployments", "services", "serviceaccounts"] {
        assert!(cluster.api.get(resource, "shop", "waypoint").is_none(), "{resource}");
    }
    let ours = cluster.api.get("pods", "shop", "ours").unwrap();
    assert_eq!(ours["metadata"]["annotations"], json!({"own": "yes"}));
    assert_eq!(ours["status"]["conditions"], json!([{"type": "Ready", "status": "True"}]));
    let theirs = cluster.api.get("pods", "shop", "theirs").unwrap();
    assert_eq!(theirs["metadata"]["annotations"], annotations, "another mesh's word");
}

#[test]
fn pods_are_let_go_before_the_agents_go() {
    let cluster = Cluster::start();
    cluster.weir(&["install"]).expect(0);
    let from = cluster.api.requests().len();
    cluster.weir(&["uninstall", "--yes"]).expect(0);
    let requests = cluster.api.requests().split_off(from);
    let at = |verb: &str, what: &str| {
        requests.iter().position(|r| r.verb == verb && r.uri.contains(what)).unwrap()
    };
    let opened = &requests[at("patch", "daemonsets/weir-agent")].body;
    let arguments = opened.pointer("/spec/template/spec/containers/0/args").unwrap();
    assert!(arguments.as_array().unwrap().contains(&json!("--leave=open")), "{arguments}");
    assert!(at("patch", "daemonsets/weir-agent") < at("delete", "daemonsets/weir-agent"));
    assert!(at("delete", "deployments/weir-controller") < at("delete", "clusterroles/weir-controller"));
}

#[test]
fn the_same_again_changes_nothing_and_less_takes_away() {
    let cluster = Cluster::start();
    cluster.weir(&["install"]).expect(0);
    let steps: Value = serde_json::from_str(&cluster.weir(&["install", "-o", "json"]).expect(0)).unwrap();
    let other: Vec<_> = steps.as_array().unwrap().iter().filter(|step| step["what"] != "same").collect();
    assert!(other.is_empty(), "{other:?}");
    let out = cluster.weir(&["upgrade", "--set", "controller.replicas=1,holder.enabled=false"]).expect(0);
    assert!(out.contains("weir-holder") && out.contains("delete (not needed any more)"), "{out}");
    assert!(cluster.api.get("daemonsets", SYSTEM, "weir-holder").is_none());
    assert!(cluster.api.get("poddisruptionbudgets", SYSTEM, "weir-controller").is_none());
    // An upgrade keeps what was set.
    cluster.weir(&["upgrade", "--set", "log.filter=debug"]).expect(0);
    let controller = cluster.api.get("deployments", SYSTEM, "weir-controller").unwrap();
    assert_eq!(controller["spec"]["replicas"], 1);
    cluster.weir(&["upgrade", "--reset-values"]).expect(0);
    let controller = cluster.api.get("deployments", SYSTEM, "weir-controller").unwrap();
    assert_eq!(controller["spec"]["replicas"], 2);
}

#[test]
fn a_dry_run_writes_nothing() {
    let cluster = Cluster::idle();
    let out = cluster.weir(&["install", "--dry-run"]).expect(0);
    assert!(out.lines().skip(1).all(|line| line.ends_with("create")), "{out}");
    assert_eq!(cluster.writes(), Vec::<String>::new());
}

#[test]
fn definitions_of_others_stay() {
    let cluster = Cluster::start();
    let name = "virtualservices.networking.istio.io";
    let theirs = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name, "labels": {"release": "istio"}},
        "spec": {"group": "networking.istio.io", "scope": "Namespaced", "names": {"kind": "VirtualService", "plural": "virtualservices"}, "versions": [{"name": "v1", "served": true, "storage": true}]},
    });
    cluster.api.put(theirs).unwrap();
    let answer = cluster.weir(&["install", "--set", "crds.istio=true"]);
    assert!(answer.err.contains("is there already, and is not ours"), "{}", answer.err);
    assert!(answer.expect(0).contains("leave (not ours)"));
    cluster.weir(&["uninstall", "--yes", "--purge"]).expect(0);
    let left = cluster.api.get("customresourcedefinitions", "", name).unwrap();
    assert_eq!(left["metadata"]["labels"], json!({"release": "istio"}));
    assert!(cluster.api.get("customresourcedefinitions", "", "gateways.networking.istio.io").is_none());
}

#[test]
fn what_does_not_come_up_is_said_with_its_reason() {
    let cluster = Cluster::idle();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "weir-agent-x", "namespace": SYSTEM, "labels": {"app": "weir-agent"}},
        "spec": {"containers": [{"name": "agent", "image": "weir"}]},
        "status": {"containerStatuses": [{"name": "agent", "state": {"waiting": {"reason": "ErrImageNeverPull", "message": "weir:0.1.0 is not here"}}}]},
    });
    cluster.api.put(pod).unwrap();
    for (name, kernel) in [("old", "5.15.0-91-generic"), ("new", "6.8.0-31-generic")] {
        let info = json!({"kernelVersion": kernel});
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {"nodeInfo": info}});
        cluster.api.put(node).unwrap();
    }
    let answer = cluster.weir(&["install", "--timeout", "0"]);
    assert_eq!(answer.code, 1);
    let (before, after) = answer.err.split_once("not ready").unwrap_or_else(|| panic!("{}", answer.err));
    let old = "node old runs Linux 5.15.0-91-generic: the agent needs 5.17 or later";
    assert!(before.contains(&format!("warning: {old}")), "{}", answer.err);
    for said in ["pod weir-agent-x: ErrImageNeverPull weir:0.1.0 is not here", old] {
        assert!(after.contains(said), "{}", answer.err);
    }
    assert!(!answer.err.contains("node new"), "{}", answer.err);
    // Nothing is forgotten: what was made until then is known, and goes.
    assert!(cluster.api.get("configmaps", SYSTEM, "weir-installation").is_some());
}

#[test]
fn what_somebody_changed_is_found() {
    let cluster = Cluster::start();
    cluster.weir(&["install"]).expect(0);
    let mut controller = cluster.api.get("deployments", SYSTEM, "weir-controller").unwrap();
    controller["spec"]["replicas"] = json!(5);
    cluster.api.put(controller).unwrap();
    cluster.api.delete("clusterroles", "", "weir-controller").unwrap();
    let out = cluster.weir(&["verify-install"]).expect(2);
    assert!(out.contains("ClusterRole weir-controller             is not there"), "{out}");
    assert!(out.contains("was changed: spec.replicas"), "{out}");
}

#[test]
fn what_is_helms_stays_helms() {
    let cluster = Cluster::idle();
    let release = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": "sh.helm.release.v1.weir.v1", "namespace": SYSTEM, "labels": {"owner": "helm", "name": "weir"}},
    });
    cluster.api.put(release).unwrap();
    for command in [vec!["install"], vec!["upgrade"], vec!["uninstall", "--yes"]] {
        let answer = cluster.weir(&command);
        assert_eq!(answer.code, 1);
        assert!(answer.err.contains("is Helm's"), "{}", answer.err);
    }
    assert_eq!(cluster.writes(), Vec::<String>::new());
}
