//! Files as one set of objects.

use std::path::PathBuf;

use rstest::rstest;

use weir_resources::GatewayAddressStatus;

use super::super::derived_uid;
use super::super::tree::{Tree, Update};
use super::*;

/// Gives a tree some files, and takes what it says.
fn update(tree: &mut Tree, files: &[(&str, Option<&str>)]) -> Update {
    let content = |text: &str| Ok(text.to_owned());
    tree.update(files.iter().map(|(name, text)| (PathBuf::from(name), text.map(content))).collect())
}

fn first(text: &str) -> (Tree, Update) {
    let mut tree = Tree::default();
    let said = update(&mut tree, &[("a.yaml", Some(text))]);
    (tree, said)
}

fn said(update: &Update) -> Vec<String> {
    update.reports.iter().map(ToString::to_string).collect()
}

#[test]
fn first_there_are_lists_of_every_kind() {
    let (_, update) = first(&account("web"));
    let told = told(&update.batches);
    assert_eq!(told.len(), 2 * Kind::ALL.len() + 2);
    assert_eq!(told[..3], ["relist Namespace", "+Namespace shop", "synced Namespace"]);
    for kind in Kind::ALL {
        let at = |line: String| told.iter().position(|told| *told == line).unwrap();
        assert!(at(format!("relist {}", kind.name())) < at(format!("synced {}", kind.name())));
    }
}

#[test]
fn an_empty_directory_is_complete_too() {
    let mut tree = Tree::default();
    assert_eq!(told(&update(&mut tree, &[]).batches).len(), 2 * Kind::ALL.len());
    assert_eq!(update(&mut tree, &[]).batches, Vec::<Vec<Event>>::new());
}

#[test]
fn later_there_is_what_changed() {
    let (mut tree, _) = first(&(account("a") + &account("b")));
    let next =
        update(&mut tree, &[("a.yaml", Some(&(account("b") + &pod("p", "spec: {serviceAccountName: b}"))))]);
    assert_eq!(next.batches.len(), 1);
    assert_eq!(told(&next.batches), ["+Pod shop/p", "-ServiceAccount shop/a"]);
    let gone = update(&mut tree, &[("a.yaml", None)]);
    assert_eq!(told(&gone.batches), ["-Namespace shop", "-Pod shop/p", "-ServiceAccount shop/b"]);
}

#[test]
fn generations_count_changes_unless_they_are_given() {
    let policy = |action: &str, more: &str| {
        format!(
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: p{more}}}\nspec: {{action: {action}}}\n"
        )
    };
    let generation =
        |update: &Update| find(&update.batches, "AuthorizationPolicy default/p").unwrap().meta().generation;
    let (mut tree, said) = first(&policy("ALLOW", ""));
    assert_eq!(generation(&said), 1);
    let said = update(&mut tree, &[("a.yaml", Some(&policy("DENY", "")))]);
    assert_eq!(generation(&said), 2);
    let said = update(&mut tree, &[("a.yaml", Some(&policy("DENY", ", generation: 7")))]);
    assert_eq!(generation(&said), 7);
}

#[test]
fn what_moves_to_another_file_does_not_change() {
    let (mut tree, _) = first(&account("a"));
    let next = update(&mut tree, &[("a.yaml", None), ("b.yaml", Some(&account("a")))]);
    assert_eq!(told(&next.batches), Vec::<String>::new());
}

#[test]
fn of_two_files_the_first_by_name_is_in_force() {
    let (mut tree, _) = first(&pod("p", "spec: {nodeName: n1}"));
    let mine = pod("p", "spec: {nodeName: n2}");
    let next = update(&mut tree, &[("b.yaml", Some(&mine))]);
    assert_eq!(told(&next.batches), Vec::<String>::new());
    assert_eq!(said(&next), ["b.yaml: Pod shop/p is in a.yaml already; that one is in force"]);
    let again = update(&mut tree, &[("c.yaml", Some("# nothing"))]);
    assert_eq!(said(&again), Vec::<String>::new());
    let next = update(&mut tree, &[("a.yaml", None)]);
    let Some(Object::Pod(pod)) = find(&next.batches, "Pod shop/p") else { panic!() };
    assert_eq!(&*pod.node, "n2");
}

#[test]
fn in_one_file_the_first_is_in_force() {
    let (_, update) = first(&(pod("p", "spec: {nodeName: n1}") + &pod("p", "spec: {nodeName: n2}")));
    assert_eq!(said(&update), ["a.yaml:6:1: Pod shop/p is in this file twice; the first is in force"]);
    let Some(Object::Pod(pod)) = find(&update.batches, "Pod shop/p") else { panic!() };
    assert_eq!(&*pod.node, "n1");
}

#[test]
fn a_broken_document_takes_nothing_away() {
    let (mut tree, _) = first(&(account("a") + &account("b")));
    let broken = format!("{}kind: [ServiceAccount\n---\n{}", account("c"), account("a"));
    let next = update(&mut tree, &[("a.yaml", Some(&broken))]);
    assert_eq!(told(&next.batches), ["+ServiceAccount shop/c"]);
    let [said] = &*said(&next) else { panic!() };
    assert!(
        said.starts_with("a.yaml:5:") && said.ends_with("what the file said before stays in force"),
        "{said}"
    );
    let same = update(&mut tree, &[("a.yaml", Some(&broken))]);
    assert_eq!((same.reports, same.batches), (vec![], vec![]));
    let good = update(&mut tree, &[("a.yaml", Some(&account("c")))]);
    assert_eq!(told(&good.batches), ["-ServiceAccount shop/a", "-ServiceAccount shop/b"]);
}

#[test]
fn what_is_cut_off_takes_nothing_away() {
    for cut in
        ["kind: Ser", "apiVersion: v1\nkind: ServiceAcc", "apiVersion: v1\nkind: ServiceAccount\nmetadata:"]
    {
        let (mut tree, _) = first(&(account("a") + &account("b")));
        let next = update(&mut tree, &[("a.yaml", Some(&format!("{}---\n{cut}", account("b"))))]);
        assert_eq!(told(&next.batches), [""; 0], "{cut}");
        assert!(next.whole.is_empty(), "{cut}");
    }
    let (mut tree, _) = first(&(account("a") + &account("b")));
    let other = account("b") + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n";
    let next = update(&mut tree, &[("a.yaml", Some(&other))]);
    assert_eq!(told(&next.batches), ["-ServiceAccount shop/a"]);
}

#[test]
fn a_file_that_cannot_be_read_takes_nothing_away() {
    let (mut tree, _) = first(&account("a"));
    let next = tree.update(vec![("a.yaml".into(), Some(Err("it is not UTF-8 from byte 3".into())))]);
    assert_eq!(next.batches, Vec::<Vec<Event>>::new());
    assert_eq!(said(&next), ["a.yaml: it is not UTF-8 from byte 3; what it said before stays in force"]);
}

#[test]
fn a_bad_object_takes_the_place_of_the_good_one() {
    let (mut tree, _) = first(&pod("p", "status: {podIP: 10.0.0.1}"));
    let bad = update(&mut tree, &[("a.yaml", Some(&pod("p", "status: {podIP: 10.0.0}")))]);
    assert_eq!(told_of(Kind::Pod, &bad.batches), ["!Pod shop/p"]);
    assert_eq!(said(&bad), ["a.yaml:4:17: Pod shop/p: status.podIP: \"10.0.0\" is not an IP address"]);
    let good = update(&mut tree, &[("a.yaml", Some(&pod("p", "status: {podIP: 10.0.0.1}")))]);
    assert_eq!(told_of(Kind::Pod, &good.batches), ["+Pod shop/p"]);
}

#[test]
fn what_is_not_read_is_said() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolcy\nmetadata: {name: b}\n---\napiVersion: v1\nkind: ServiceEntry\nmetadata: {name: c}\n---\nmetadata: {}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: A}\n";
    let (_, update) = first(text);
    assert_eq!(
        said(&update),
        [
            "a.yaml:5:13: AuthorizationPolcy of that apiVersion is nothing that the mesh reads; it is passed over",
            "a.yaml:9:13: ServiceEntry of that apiVersion is nothing that the mesh reads; it is passed over",
            "a.yaml:13:1: an object without `kind`; what the file said before stays in force",
            "a.yaml:17:18: Pod without a name: metadata.name: \"A\" is not a name that Kubernetes allows; what the file said before stays in force",
            "a.yaml: of kinds that the mesh does not read: Deployment",
        ]
    );
}

#[test]
fn what_is_only_spoken_of_is_made() {
    let entry = "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: vm, namespace: vms}\nspec: {address: 10.0.0.9, serviceAccount: db}\n";
    let (_, update) = first(&(pod("p", "") + entry));
    let spoken_of =
        ["+Namespace shop", "+Namespace vms", "+ServiceAccount shop/default", "+ServiceAccount vms/db"];
    let made =
        [told_of(Kind::Namespace, &update.batches), told_of(Kind::ServiceAccount, &update.batches)].concat();
    assert_eq!(made, spoken_of);
    let namespace = find(&update.batches, "Namespace shop").unwrap();
    assert_eq!(namespace.meta().labels.get("kubernetes.io/metadata.name"), Some("shop"));
}

#[test]
fn a_pod_runs_and_is_ready_unless_something_else_is_said() {
    let (_, update) = first(&(pod("p", "") + &pod("q", "status: {phase: Pending}")));
    let Some(Object::Pod(p)) = find(&update.batches, "Pod shop/p") else { panic!() };
    assert!(p.ready && p.phase == weir_resources::Phase::Running);
    assert_eq!(*p.meta.uid, *derived_uid("shop", "p"));
    let Some(Object::Pod(q)) = find(&update.batches, "Pod shop/q") else { panic!() };
    assert!(!q.ready);
}

#[rstest]
#[case::by_namespace("ambient", "", "", "", Some("enabled"))]
#[case::not_asked("", "", "", "", None)]
#[case::by_pod("", "istio.io/dataplane-mode: ambient", "", "", Some("enabled"))]
#[case::opted_out("ambient", "istio.io/dataplane-mode: none", "", "", None)]
#[case::other_word("ambient", "istio.io/dataplane-mode: maybe", "", "", Some("enabled"))]
#[case::host_network("ambient", "istio.io/dataplane-mode: ambient", "", "hostNetwork: true", None)]
#[case::sidecar("ambient", "", "sidecar.istio.io/status: '{}'", "", None)]
#[case::said("ambient", "", "ambient.istio.io/redirection: pending", "", Some("pending"))]
fn enrolment(
    #[case] namespace: &str,
    #[case] labels: &str,
    #[case] annotations: &str,
    #[case] spec: &str,
    #[case] redirection: Option<&str>,
) {
    let namespace = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{istio.io/dataplane-mode: '{namespace}'}}}}\n---\n"
    );
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: shop, labels: {{{labels}}}, annotations: {{{annotations}}}}}\nspec: {{{spec}}}\n"
    );
    let (_, update) = first(&(namespace + &pod));
    let pod = find(&update.batches, "Pod shop/p").unwrap();
    assert_eq!(pod.meta().annotations.get("ambient.istio.io/redirection"), redirection);
}

#[test]
fn a_namespace_that_joins_takes_its_pods_with_it() {
    let (mut tree, _) = first(&(pod("p", "") + &pod("q", "spec: {hostNetwork: true}")));
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}\n";
    let joined = update(&mut tree, &[("ns.yaml", Some(namespace))]);
    assert_eq!(told(&joined.batches), ["+Namespace shop", "+Pod shop/p"]);
    let left = update(&mut tree, &[("ns.yaml", None)]);
    assert_eq!(told(&left.batches), ["+Namespace shop", "+Pod shop/p"]);
}

fn gateway(class: &str, status: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: wp, namespace: shop}}\nspec: {{gatewayClassName: {class}}}\n{status}\n---\n"
    )
}

fn service(name: &str, ip: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{{ip}}}\n---\n"
    )
}

#[rstest]
#[case::of_its_name("weir-waypoint", "", "wp", "clusterIP: 10.96.0.9", &["10.96.0.9", "wp.shop.svc.mesh.local"])]
#[case::adopted("istio-waypoint", "", "wp", "clusterIP: 10.96.0.9", &["10.96.0.9", "wp.shop.svc.mesh.local"])]
#[case::headless("weir-waypoint", "", "wp", "clusterIP: None", &["wp.shop.svc.mesh.local"])]
#[case::of_another_name("weir-waypoint", "", "web", "clusterIP: 10.96.0.9", &[])]
#[case::another_class("nginx", "", "wp", "clusterIP: 10.96.0.9", &[])]
#[case::said("weir-waypoint", "status: {addresses: [{value: 10.1.1.1}]}", "wp", "clusterIP: 10.96.0.9", &["10.1.1.1"])]
fn a_waypoint_is_where_its_service_is(
    #[case] class: &str,
    #[case] status: &str,
    #[case] name: &str,
    #[case] ip: &str,
    #[case] expected: &[&str],
) {
    let mut tree = Tree::new("mesh.local".into());
    let addresses = |update: &Update| match find(&update.batches, "Gateway shop/wp") {
        Some(Object::Gateway(gateway)) => {
            let text = |address: &GatewayAddressStatus| match address {
                GatewayAddressStatus::Ip(ip) => ip.to_string(),
                GatewayAddressStatus::Hostname(name) => name.to_string(),
            };
            Some(gateway.addresses.iter().map(text).collect::<Vec<_>>())
        }
        _ => None,
    };
    let said = if status.is_empty() { vec![] } else { expected.to_vec() };
    let first = update(&mut tree, &[("a.yaml", Some(&gateway(class, status)))]);
    assert_eq!(addresses(&first).unwrap(), said, "without a service");
    let second = update(&mut tree, &[("b.yaml", Some(&service(name, ip)))]);
    assert_eq!(addresses(&second).unwrap_or(said.iter().map(|s| s.to_string()).collect()), expected);
    let third = update(&mut tree, &[("b.yaml", None)]);
    assert_eq!(addresses(&third).is_some(), said != expected, "it is told again if it is another");
    assert_eq!(addresses(&third).unwrap_or_default().len(), 0);
}
