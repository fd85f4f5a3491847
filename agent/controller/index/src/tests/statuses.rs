//! What objects are told, and when nothing is said.

use weir_resources::{Condition, Event, Kind, Object};

use super::{Mesh, objects, told};

const ENTRY: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ext, namespace: shop, generation: 2, labels: {istio.io/use-waypoint: wp}}
spec: {hosts: [ext.example.com], addresses: [10.9.9.9], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
";

#[test]
fn what_is_said_already_is_not_said_again() {
    let mut mesh = Mesh::new();
    let changes = mesh.apply(ENTRY);
    assert_eq!(changes.statuses.len(), 1);
    assert!(mesh.apply(ENTRY).statuses.is_empty(), "said once");
    assert_eq!(mesh.index.statuses(), changes.statuses, "and kept for who is elected later");

    let Event::Apply(mut object) = objects(ENTRY).remove(0) else { panic!("an entry") };
    let Object::ServiceEntry(entry) = &mut *object else { panic!("an entry") };
    entry.meta.conditions = changes.statuses[0].conditions.clone();
    entry.meta.conditions.push(other());
    mesh.index.apply(Event::Apply(object.clone()));
    assert!(mesh.index.commit().statuses.is_empty() && mesh.index.statuses().is_empty());

    let Object::ServiceEntry(entry) = &mut *object else { panic!("an entry") };
    entry.meta.generation = 3;
    entry.meta.labels = Default::default();
    mesh.index.apply(Event::Apply(object));
    let changes = mesh.index.commit();
    assert_eq!(changes.statuses[0].remove, ["istio.io/WaypointBound"], "ours, and not the other's");
    assert!(changes.statuses[0].conditions.iter().all(|condition| condition.observed_generation == 3));
}

#[test]
fn who_is_gone_is_told_nothing() {
    let mut mesh = Mesh::new();
    for event in objects(ENTRY) {
        mesh.index.apply(event);
    }
    assert!(mesh.delete(Kind::ServiceEntry, "shop", "ext").statuses.is_empty());
    assert!(mesh.index.statuses().is_empty());
}

#[test]
fn a_workload_group_gets_an_answer() {
    let mut mesh = Mesh::new();
    let changes = mesh.apply(
        "
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: g, namespace: shop}
spec: {template: {serviceAccount: x}}
",
    );
    assert_eq!(changes.statuses[0].conditions[0].kind, "Accepted");
}

#[test]
fn a_waypoint_without_the_listener_is_told_so() {
    let mut mesh = Mesh::new();
    let gateway = |class: &str, protocol: &str| {
        format!(
            "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: wp, namespace: shop}}
spec: {{gatewayClassName: {class}, listeners: [{{name: mesh, port: 15008, protocol: {protocol}}}]}}
"
        )
    };
    let changes = mesh.apply(&gateway("weir-waypoint", "HTTP"));
    assert_eq!(told(&changes, Kind::Gateway, "wp")[0], "Accepted=False/ListenersNotValid");
    let changes = mesh.apply(&gateway("weir-waypoint", "HBONE"));
    assert_eq!(told(&changes, Kind::Gateway, "wp")[0], "Accepted=True/Accepted");
    mesh.apply(&gateway("istio-waypoint", "HBONE"));
    assert!(mesh.index.statuses().is_empty(), "another controller's, until we are told to adopt it");
}

fn other() -> Condition {
    Condition {
        kind: "somebody.else/Happy".into(),
        status: "True".into(),
        reason: "Yes".into(),
        message: String::new(),
        observed_generation: 1,
    }
}
