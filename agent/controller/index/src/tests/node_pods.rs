//! What nodes are told of their pods.

use prost::Message;
use weir_proto::node::{Pod, Wish};
use weir_resources::Kind;

use super::Mesh;
use crate::{Changes, Config};

fn mesh() -> Mesh {
    Mesh::with(Config { node_pods: true, ..Config::default() })
}

fn pod(node: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: shop, uid: u1}}\nspec: {{nodeName: '{node}', serviceAccountName: sa, \
         containers: [{{name: c, readinessProbe: {{tcpSocket: {{port: 80}}}}}}]}}\n{more}\n"
    )
}

const AMBIENT: &str =
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}\n";
const PLAIN: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";

fn changed(changes: &Changes) -> Vec<String> {
    let sign = |change: &crate::Change| if change.resource.is_some() { "" } else { "-" };
    changes.node_pods.iter().map(|change| format!("{}{}", sign(change), change.name)).collect()
}

fn told(mesh: &Mesh, name: &str) -> Pod {
    let snapshot = mesh.index.snapshot();
    Pod::decode(snapshot.node_pod(name).expect("it is told").body.clone()).unwrap()
}

#[test]
fn a_node_hears_of_its_pod_from_its_schedule_to_its_end() {
    let mut mesh = mesh();
    assert!(changed(&mesh.apply(&pod("", ""))).is_empty(), "it is nowhere yet");
    assert_eq!(changed(&mesh.apply(&pod("n1", ""))), ["n1/shop/web"]);
    let web = told(&mesh, "n1/shop/web");
    assert_eq!((&*web.uid, &*web.service_account, web.wish()), ("u1", "sa", Wish::Leave));
    assert_eq!((web.probe_ports, web.addresses.len(), web.workload), (vec![80], 0, None));

    assert_eq!(changed(&mesh.apply(AMBIENT)), ["n1/shop/web"], "the namespace asks for it");
    let web = told(&mesh, "n1/shop/web");
    assert_eq!(web.wish(), Wish::Enrol);
    assert_eq!(web.workload.unwrap().service_account, "sa", "its node knows it before discovery does");

    assert_eq!(changed(&mesh.apply(&pod("n1", "status: {podIP: 10.0.0.1}"))), ["n1/shop/web"]);
    let web = told(&mesh, "n1/shop/web");
    assert_eq!((web.addresses, web.workload, web.announced), (vec![vec![10, 0, 0, 1]], None, false));

    assert_eq!(changed(&mesh.apply(PLAIN)), ["n1/shop/web"]);
    assert_eq!(told(&mesh, "n1/shop/web").wish(), Wish::Leave);
    assert_eq!(changed(&mesh.apply(&pod("n1", "status: {phase: Succeeded}"))), ["-n1/shop/web"]);
}

#[test]
fn a_pod_that_is_made_anew_elsewhere_is_gone_from_where_it_was() {
    let mut mesh = mesh();
    mesh.apply(&pod("n1", ""));
    assert_eq!(changed(&mesh.apply(&pod("n2", ""))), ["-n1/shop/web", "n2/shop/web"]);
    assert_eq!(changed(&mesh.delete(Kind::Pod, "shop", "web")), ["-n2/shop/web"]);
}

#[test]
fn what_is_nobodys_business_on_the_node_changes_nothing() {
    let mut mesh = mesh();
    mesh.apply(AMBIENT);
    mesh.apply(&pod("n1", "status: {podIP: 10.0.0.1}"));
    let ready = "status: {podIP: 10.0.0.1, conditions: [{type: Ready, status: 'True'}]}";
    assert!(changed(&mesh.apply(&pod("n1", ready))).is_empty());
    let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: shop}\nspec: {ports: [{port: 80}]}\n";
    assert!(changed(&mesh.apply(service)).is_empty());
}

#[test]
fn a_static_pod_is_named_as_its_node_names_it() {
    let mut mesh = mesh();
    let text = pod("n1", "").replace("uid: u1", "uid: u1, annotations: {kubernetes.io/config.hash: abc}");
    mesh.apply(&text);
    assert_eq!(told(&mesh, "n1/shop/web").node_uid, "abc");
}

#[test]
fn what_a_pod_says_of_itself_is_told_too() {
    let mut mesh = mesh();
    let said = "status: {conditions: [{type: Ready, status: 'True'}, {type: weir.dev/Captured, status: 'False', reason: R, message: m}]}";
    mesh.apply(&pod("n1", said));
    let captured = told(&mesh, "n1/shop/web").captured.unwrap();
    assert_eq!((captured.is, &*captured.reason, &*captured.message), (false, "R", "m"));
}

#[test]
fn what_another_mesh_says_of_its_pod_is_not_ours_to_take_back() {
    let mut mesh = mesh();
    let announced = |status: &str| {
        let says = "uid: u1, annotations: {ambient.istio.io/redirection: enabled}";
        pod("n1", status).replace("uid: u1", says)
    };
    mesh.apply(&announced(""));
    assert!(!told(&mesh, "n1/shop/web").announced, "another's");
    mesh.apply(&announced(
        "status: {conditions: [{type: weir.dev/Captured, status: 'True', reason: Captured}]}",
    ));
    assert!(told(&mesh, "n1/shop/web").announced, "ours, that leaves");
    mesh.apply(&announced(""));
    mesh.apply(AMBIENT);
    assert!(told(&mesh, "n1/shop/web").announced, "it becomes ours");
}

#[test]
fn without_a_cluster_nobody_is_told() {
    let mut mesh = Mesh::new();
    assert!(changed(&mesh.apply(&pod("n1", ""))).is_empty());
}
