//! Commands that ask the processes in their pods, through the API server.

use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// What an agent says of itself.
fn dump(node: &str, unprotected: Value) -> Value {
    json!({
        "version": "0.1.0",
        "config": {"node": node, "captureMode": "full"},
        "workloads": [{"uid": "Kubernetes//Pod/shop/web", "name": "web", "namespace": "shop", "workloadIps": ["10.0.0.1"], "node": node,
            "protocol": "HBONE", "peerAuthentication": "STRICT"}],
        "services": [{"name": "web", "namespace": "shop", "hostname": "web.shop.svc.cluster.local", "vips": ["/10.96.0.1"],
            "endpoints": {"Kubernetes//Pod/shop/web": {"status": "Healthy"}}}],
        "policies": [{"name": "only-80", "namespace": "shop", "scope": "Namespace", "action": "Deny", "rules": [[]], "dryRun": false}],
        "discovery": {"connected": true},
        "certificates": [{"identity": "spiffe://cluster.local/ns/shop/sa/web", "state": "Available",
            "certChain": [{"serialNumber": "1", "validFrom": "T0", "expirationTime": "T1"}]}],
        "protection": {"protected": 3, "unprotected": unprotected, "notes": []},
    })
}

fn connections() -> Value {
    json!([{"direction": "outbound", "source": "10.0.0.1:40000", "destination": "10.0.0.2:80", "service": "web.shop.svc.cluster.local",
        "sourceIdentity": "spiffe://cluster.local/ns/shop/sa/client", "destinationIdentity": "spiffe://cluster.local/ns/shop/sa/web",
        "namespace": "shop", "workload": "client", "bytesSent": 5, "bytesReceived": 7, "seconds": 60}])
}

fn mesh() -> Cluster {
    let cluster = Cluster::idle();
    cluster.node("a");
    cluster.runs("weir-controller", "weir-controller-0", "a", 15014, &[
        ("/debug/connections", json!([{"node": "ztunnel~10.0.0.9~weir-agent-a.weir-system~x", "types": [{"behind": 0, "owed": 0}]}])),
        ("/debug/sources", json!({})),
    ]);
    cluster.runs(
        "weir-agent",
        "weir-agent-a",
        "a",
        15000,
        &[("/config_dump", dump("a", json!([]))), ("/connections", connections())],
    );
    cluster
}

#[test]
fn a_mesh_that_is_well() {
    let cluster = mesh();
    let out = cluster.weir(&["status"]).expect(0);
    assert_eq!(
        out,
        "CONTROLLER                     CLIENTS  STATE\n\
         weir-system/weir-controller-0  1        ok\n\n\
         NODE  AGENT                     VERSION  MODE  SYNC    CAPTURED  UNPROTECTED\n\
         a     weir-system/weir-agent-a  0.1.0    full  synced  3         0\n"
    );
    let out = cluster.weir(&["status", "--output", "json"]).expect(0);
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap(),
        json!({
            "controllers": [{"process": "weir-system/weir-controller-0", "streams": 1}],
            "agents": [{"process": "weir-system/weir-agent-a", "node": "a", "version": "0.1.0", "mode": "full", "sync": {"state": "synced"},
                "captured": 3, "unprotected": []}],
            "waypoints": [], "nodesWithoutAgent": [],
        })
    );
    assert!(cluster.weir(&["status", "--output", "yaml"]).expect(0).contains("nodesWithoutAgent: []"));
    let forwarded =
        cluster.api.requests().into_iter().filter(|request| request.resource == "pods/portforward");
    assert!(forwarded.map(|request| request.status).all(|status| status == 101));
}

#[test]
fn what_is_not_well_is_said_and_is_the_exit_code() {
    let cluster = mesh();
    cluster.node("b");
    let out = cluster.weir(&["status"]).expect(2);
    assert!(out.contains("b: no agent; its pods are not in the mesh\n"), "{out}");
    let unprotected = json!([{"uid": "Kubernetes//Pod/shop/db", "reason": "no listener"}]);
    cluster.runs("weir-agent", "weir-agent-b", "b", 15000, &[("/config_dump", dump("b", unprotected))]);
    let out = cluster.weir(&["status"]).expect(2);
    assert!(out.contains("UNPROTECTED POD          WHY\nKubernetes//Pod/shop/db  no listener\n"), "{out}");
    // Its process is not there: the node says so, and the command does not wait for it.
    cluster.node("c");
    cluster.runs("weir-agent", "weir-agent-c", "c", 1, &[]);
    let out = cluster.weir(&["status"]).expect(2);
    assert!(out.contains("error forwarding port 15000 to pod"), "{out}");
}

#[test]
fn who_may_not_forward_is_told_what_he_lacks() {
    let cluster = mesh();
    let read = json!({"kind": "ClusterRole", "rules": [{"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["list"]}]});
    cluster.api.grant(std::slice::from_ref(&read));
    let answer = cluster.weir(&["config", "workloads"]);
    assert_eq!(answer.code, 1);
    assert!(answer.err.contains("pods/portforward"), "{}", answer.err);
    let forward = json!({"kind": "Role", "metadata": {"namespace": "weir-system"},
        "rules": [{"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]}]});
    cluster.api.grant(&[read, forward]);
    cluster.weir(&["config", "workloads"]).expect(0);
}

#[rstest]
#[case(
    "workloads",
    "NAMESPACE  NAME  ADDRESS   NODE  PROTOCOL  MTLS    WAYPOINT\nshop       web   10.0.0.1  a     HBONE     STRICT  -\n"
)]
#[case(
    "services",
    "NAMESPACE  HOST                        VIP          WAYPOINT  ENDPOINTS\nshop       web.shop.svc.cluster.local  /10.96.0.1  -         1/1\n"
)]
#[case(
    "policies",
    "NAMESPACE  NAME     ACTION  SCOPE      RULES  DRY RUN\nshop       only-80  Deny    Namespace  1      false\n"
)]
#[case(
    "certificates",
    "IDENTITY                               STATE      SERIAL  VALID FROM  UNTIL\nspiffe://cluster.local/ns/shop/sa/web  Available  1       T0          T1\n"
)]
fn what_an_agent_knows(#[case] part: &str, #[case] table: &str) {
    let cluster = mesh();
    let words = |text: &str| {
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    for who in [&[][..], &["--node", "a"], &["weir-agent-a"], &["weir-system/weir-agent-a"]] {
        let out = cluster.weir(&[&["config", part][..], who].concat()).expect(0);
        assert_eq!(words(&out), words(table));
    }
    let out = cluster.weir(&["config", part, "--output", "json"]).expect(0);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), dump("a", json!([]))[part]);
    let all = cluster.weir(&["config", "all"]).expect(0);
    assert_eq!(serde_json::from_str::<Value>(&all).unwrap(), dump("a", json!([])));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("dump.json");
    std::fs::write(&file, all).unwrap();
    let out = crate::cluster::weir(&["config", part, "--file", file.to_str().unwrap()]).expect(0);
    assert_eq!(words(&out), words(table));
}

#[test]
fn open_connections_are_those_of_every_node() {
    let cluster = mesh();
    let out = cluster.weir(&["config", "connections"]).expect(0);
    assert!(out.contains("10.0.0.1:40000") && out.contains("web.shop.svc.cluster.local"), "{out}");
    cluster.weir(&["config", "connections", "--namespace", "other", "--output", "json"]).expect(0);
    cluster.node("b");
    cluster.runs("weir-agent", "weir-agent-b", "b", 15000, &[("/connections", connections())]);
    let out = cluster.weir(&["config", "connections", "--output", "json"]).expect(0);
    let all: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(all.iter().map(|one| one["node"].as_str().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
    let out = cluster.weir(&["config", "connections", "--node", "b", "--output", "json"]).expect(0);
    assert_eq!(serde_json::from_str::<Vec<Value>>(&out).unwrap().len(), 1);
    // Of one who does not answer nothing is known, and that is not well.
    cluster.runs("weir-agent", "weir-agent-c", "c", 1, &[]);
    let answer = cluster.weir(&["config", "connections"]);
    assert!(answer.err.contains("weir-agent-c"), "{}", answer.err);
    answer.expect(2);
}

#[rstest]
#[case(&["config", "workloads", "--node", "z"], "no agent runs on node z")]
#[case(&["config", "routes"], "name the waypoint's pod (NAMESPACE/NAME), or --admin")]
#[case(&["config", "routes", "weir-agent-a"], "the dump of an agent has no frontends")]
#[case(&["config", "workloads", "nobody"], "pods \"nobody\" not found")]
fn what_cannot_be_asked_is_said(#[case] arguments: &[&str], #[case] why: &str) {
    let answer = mesh().weir(arguments);
    assert_eq!((answer.code, &*answer.out), (1, ""), "{}", answer.err);
    assert!(answer.err.contains(why), "{}", answer.err);
}

#[test]
fn a_report_has_what_is_needed_and_no_secret() {
    let cluster = mesh();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}, "data": {"k": "U0VDUkVU"}});
    cluster.api.put(secret).unwrap();
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "shop"}, "data": {"k": "HIDDEN"}});
    cluster.api.put(map).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report");
    let arguments = ["bug-report", "--dir", report.to_str().unwrap()];
    let out = cluster.weir(&arguments).expect(0);
    assert!(out.ends_with(": 0 pages could not be had\n"), "{out}");
    let mut names: Vec<_> = std::fs::read_dir(&report)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "objects.json",
            "status.json",
            "versions.json",
            "weir-system_weir-agent-a_config_dump.json",
            "weir-system_weir-agent-a_connections.json",
            "weir-system_weir-controller-0_debug_connections.json",
            "weir-system_weir-controller-0_debug_sources.json",
        ]
    );
    for name in names {
        let text = std::fs::read_to_string(report.join(name)).unwrap();
        assert!(!text.contains("U0VDUkVU") && !text.contains("HIDDEN"));
    }
    assert!(cluster.api.requests().iter().all(|request| !request.resource.starts_with("secrets")));
    let answer = cluster.weir(&arguments);
    assert_eq!(answer.code, 1);
    assert!(answer.err.contains("--dir names another"), "{}", answer.err);
}
