//! TLS material of users: who is told of it, and what its rule's author is.

use std::time::{Duration, UNIX_EPOCH};

use rcgen::{CertificateParams, KeyPair};
use weir_proto::l7;
use weir_resources::{Event, Kind};

use super::{GATEWAY, NAMESPACE, SERVICES, WEB};
use crate::Layer7;
use crate::tests::{Mesh, message, objects, told};

/// A certificate of the year 2030 and its key.
fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn secret(name: &str, data: &[(&str, &str)]) -> String {
    let data: String = data
        .iter()
        .map(|(key, text)| format!("  {key}: |\n    {}\n", text.replace('\n', "\n    ")))
        .collect();
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: shop}}\nstringData:\n{data}---\n"
    )
}

fn rule(namespace: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: tls, namespace: {namespace}}}\n\
         spec: {{host: web.shop.svc.cluster.local, trafficPolicy: {{tls: {{mode: MUTUAL, credentialName: pair}}}}}}\n---\n"
    )
}

/// All secrets are known, and then this is.
fn mesh(more: &str) -> Mesh {
    let mut mesh = Mesh::new();
    mesh.index.apply(Event::Synced(Kind::Secret));
    mesh.apply(&[NAMESPACE, GATEWAY, SERVICES, more].concat());
    mesh
}

impl Mesh {
    fn secret_told(&self) -> Option<l7::Secret> {
        self.told(Layer7::Secret, "shop/pair")
    }

    fn refused(&self) -> String {
        self.backend(WEB).unwrap().clusters[0].refused.clone()
    }
}

#[test]
fn a_waypoint_is_told_what_its_rule_names() {
    let (certificate, key) = pair();
    let mut mesh = mesh(&rule("shop"));
    assert!(mesh.refused().contains("there is no Secret shop/pair"), "{}", mesh.refused());
    mesh.apply(&secret("pair", &[("tls.crt", &certificate), ("tls.key", &key)]));
    assert_eq!(mesh.refused(), "");
    assert_eq!(mesh.backend(WEB).unwrap().clusters[0].tls.as_ref().unwrap().secret, "shop/pair");
    assert_eq!(mesh.secret_told().unwrap().private_key, key.as_bytes());
    // Authorities of their own come before those in it.
    let changes = mesh.apply(&secret("pair-cacert", &[("cacert", &certificate)]));
    assert_eq!(changes.layer7[Layer7::Secret].len(), 1);
    assert_eq!(mesh.secret_told().unwrap().ca_certificates, certificate.as_bytes());
    mesh.delete(Kind::Secret, "shop", "pair");
    assert!(mesh.refused().contains("has no certificate"), "{}", mesh.refused());
    mesh.delete(Kind::DestinationRule, "shop", "tls");
    assert!(mesh.secret_told().is_none(), "nothing names it");
    assert!(mesh.index.wanted_secrets().is_empty());
}

#[test]
fn what_nobody_can_use_does_not_take_the_place_of_what_was_there() {
    let (certificate, key) = pair();
    let mut mesh = mesh(&rule("shop"));
    let changes = mesh.apply(&secret("pair", &[("tls.crt", "nonsense"), ("tls.key", &key)]));
    assert!(message(&changes, "tls", "PartiallyInvalid").contains("data[tls.crt]: is no PEM"));
    assert!(mesh.secret_told().is_none());
    mesh.apply(&secret("pair", &[("tls.crt", &certificate), ("tls.key", &key)]));
    let before = mesh.secret_told();
    let changes = mesh.apply(&secret("pair", &[("tls.crt", &certificate), ("tls.key", &pair().1)]));
    let said = message(&changes, "tls", "PartiallyInvalid");
    assert!(
        said.contains("does not belong to tls.crt") && said.contains("the one before stays in force"),
        "{said}"
    );
    assert_eq!((mesh.secret_told(), mesh.refused().as_str()), (before, ""));
}

#[test]
fn a_certificate_whose_time_is_over_is_told() {
    let (certificate, key) = pair();
    let mut mesh = mesh(&rule("shop"));
    let at = |years: u64| UNIX_EPOCH + Duration::from_secs(years * 365 * 24 * 3600);
    mesh.index.at(at(50));
    let changes = mesh.apply(&secret("pair", &[("tls.crt", &certificate), ("tls.key", &key)]));
    assert_eq!(
        told(&changes, Kind::DestinationRule, "tls"),
        ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"]
    );
    assert!(!mesh.index.at(at(51)) && mesh.index.at(at(61)), "only what is over is news");
    let changes = mesh.index.commit();
    assert!(message(&changes, "tls", "PartiallyInvalid").contains("is over"));
    assert!(mesh.secret_told().is_some(), "who refuses it is not decided here");
}

#[test]
fn a_secret_is_not_for_waypoints_of_other_namespaces() {
    let (certificate, key) = pair();
    let text = secret("pair", &[("tls.crt", &certificate), ("tls.key", &key)])
        .replace("namespace: shop", "namespace: weir-system");
    let mut mesh = mesh(&text);
    let changes = mesh.apply(&rule("weir-system"));
    assert!(mesh.refused().contains("are not given Secret weir-system/pair"), "{}", mesh.refused());
    assert_eq!(told(&changes, Kind::DestinationRule, "tls")[1], "ResolvedRefs=False/RefNotPermitted");
    assert_eq!(mesh.index.snapshot().all_layer7(Layer7::Secret).count(), 0);
}

#[test]
fn what_was_not_read_yet_is_not_missing() {
    let (certificate, key) = pair();
    let mut mesh = Mesh::new();
    let text = [NAMESPACE, GATEWAY, SERVICES, &rule("shop")].concat();
    for event in objects(&text) {
        mesh.index.apply(event);
    }
    mesh.index.commit();
    assert_eq!(mesh.refused(), "", "a controller that has just started takes nothing away");
    let wanted: Vec<String> = mesh.index.wanted_secrets().iter().map(|(_, name)| name.to_string()).collect();
    assert_eq!(wanted, ["pair", "pair-cacert"]);
    let one = |name: &str| Event::Delete(weir_resources::Key::new(Kind::Secret, "shop", name));
    mesh.index.apply(one("pair-cacert"));
    for event in objects(&secret("pair", &[("tls.crt", &certificate), ("tls.key", &key)])) {
        mesh.index.apply(event);
    }
    mesh.index.commit();
    assert!(mesh.secret_told().is_some());
    mesh.index.apply(one("pair"));
    mesh.index.commit();
    assert!(mesh.refused().contains("there is no Secret"), "{}", mesh.refused());
}
