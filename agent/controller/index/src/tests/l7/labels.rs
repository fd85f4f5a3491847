//! Labels of those who call: told as far as rules ask for them.

use std::collections::BTreeMap;

use prost::Message;
use rstest::rstest;
use weir_proto::l7::Labels;

use super::{Mesh, SERVICES, mesh, news};
use crate::tests::pod;
use crate::{Layer7, unread};

fn rule(text: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: web, namespace: shop}}
spec:
  hosts: [web]
  {text}
---
"
    )
}

const HTTP: &str =
    "http: [{match: [{sourceLabels: {app: cart, tier: front}}], directResponse: {status: 418}}]";
const TCP: &str = "tcp: [{match: [{sourceLabels: {app: cart}}], route: [{destination: {host: web}}]}]";
const TLS: &str = "tls: [{match: [{sniHosts: [web.shop.svc.cluster.local], sourceLabels: {app: cart}}], route: [{destination: {host: web}}]}]";
/// The services, with ports of another protocol.
fn port(name: &str) -> String {
    SERVICES.replace("name: http", &format!("name: {name}"))
}

const FAILOVER: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: shop}
spec:
  host: web
  trafficPolicy:
    outlierDetection: {consecutive5xxErrors: 5}
    loadBalancer: {localityLbSetting: {enabled: true, failoverPriority: [app]}}
---
";

fn told(mesh: &Mesh, uid: &str) -> Option<BTreeMap<String, String>> {
    let snapshot = mesh.index.snapshot();
    let resource = snapshot.layer7(Layer7::Labels, &unread(uid))?;
    Some(Labels::decode(resource.body.clone()).expect("what we encode can be decoded").labels)
}

const CART: &str = "Kubernetes//Pod/bank/cart-1";

#[rstest]
#[case::nobody_asks(String::new(), &[])]
#[case::of_a_request(rule(HTTP), &[("app", "cart"), ("tier", "back")])]
#[case::of_a_connection(rule(TCP) + &port("tcp"), &[("app", "cart")])]
#[case::of_tls(rule(TLS) + &port("tls"), &[("app", "cart")])]
#[case::to_fail_over(FAILOVER.to_owned(), &[("app", "cart")])]
fn what_is_asked_for_is_told(#[case] asks: String, #[case] expected: &[(&str, &str)]) {
    let pods = pod("bank", "cart-1", "10.0.0.1", "app: cart, tier: back, secret: x")
        + &pod("bank", "bare", "10.0.0.2", "secret: x");
    // Whether the rule or the pod is there first.
    for (first, second) in [(&asks, &pods), (&pods, &asks)] {
        let mut mesh = mesh("");
        mesh.apply(first);
        mesh.apply(second);
        let expected: BTreeMap<_, _> = expected.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        assert_eq!(told(&mesh, CART), Some(expected).filter(|labels| !labels.is_empty()));
        assert_eq!(told(&mesh, "Kubernetes//Pod/bank/bare"), None, "none of them is asked for");
    }
}

#[test]
fn they_change_and_go() {
    let mut mesh = mesh(&rule(HTTP));
    mesh.apply(&pod("bank", "cart-1", "10.0.0.1", "app: cart"));
    let changes = mesh.apply(&pod("bank", "cart-1", "10.0.0.1", "app: basket"));
    assert_eq!(news(&changes), [format!("Labels /{CART}")]);
    assert!(changes.addresses.iter().all(|change| change.name.contains("cart-1")));
    let changes = mesh.apply(&rule(&HTTP.replace("tier: front", "rack: r1")));
    assert!(
        !news(&changes).iter().any(|news| news.contains("Labels")),
        "{:?}: it has neither",
        news(&changes)
    );
    mesh.delete(weir_resources::Kind::Pod, "bank", "cart-1");
    assert_eq!(told(&mesh, CART), None);
    mesh.apply(&pod("bank", "cart-1", "10.0.0.1", "app: cart"));
    mesh.delete(weir_resources::Kind::VirtualService, "shop", "web");
    assert_eq!(told(&mesh, CART), None);
}
