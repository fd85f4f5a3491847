use rstest::rstest;

use super::*;

const SHOP: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web}}
spec: {nodeName: a, serviceAccountName: web, containers: [{name: c, image: i}]}
status: {podIP: 10.0.0.1, phase: Running}
---
";

async fn codes(text: &str) -> Vec<(&'static str, String)> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("all.yaml");
    std::fs::write(&file, format!("{SHOP}{text}")).unwrap();
    let objects = Objects::read(&[file]).unwrap();
    let findings = analyze(&objects, Config::default(), false).await.unwrap();
    findings.into_iter().map(|finding| (finding.code, finding.message)).collect()
}

fn virtual_service(spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: v, namespace: shop}}\nspec: {spec}\n---\n"
    )
}

#[rstest]
#[case::well("", "", "")]
#[case::no_yaml("a: [1\n", "WEIR0001", "")]
#[case::wrong_field(
    "{apiVersion: v1, kind: Service, metadata: {name: x, namespace: shop}, spec: {ports: [{port: many}]}}",
    "IST0106",
    "spec.ports[0].port"
)]
#[case::no_such_host(&virtual_service("{hosts: [web], http: [{route: [{destination: {host: wbe}}]}]}"), "IST0101", "spec.http[0].route[0].destination.host: there is no service wbe.shop.svc.cluster.local")]
#[case::no_such_mirror(&virtual_service("{hosts: [web], http: [{route: [{destination: {host: web}}], mirror: {host: x.y}}]}"), "IST0101", "spec.http[0].mirror.host: there is no service x.y")]
#[case::no_such_subset(&virtual_service("{hosts: [web], http: [{route: [{destination: {host: web, subset: v2}}]}]}"), "IST0101", "has a subset v2")]
#[case::no_such_gateway(&virtual_service("{hosts: [web], gateways: [mesh, front], http: [{route: [{destination: {host: web}}]}]}"), "IST0101", "there is no Gateway shop/front")]
#[case::unreachable(&virtual_service("{hosts: [web], http: [{route: [{destination: {host: web}}]}, {route: [{destination: {host: web}}]}]}"), "IST0130", "spec.http[1]: never reached")]
#[case::destination_rule(
    "{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: d, namespace: shop}, spec: {host: wbe}}",
    "IST0101",
    "spec.host: there is no service wbe.shop"
)]
#[case::nobody_checks(
    "{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: d, namespace: shop}, spec: {host: web, trafficPolicy: {tls: {mode: SIMPLE}}}}",
    "IST0128",
    "neither caCertificates nor credentialName"
)]
#[case::selects_nobody(
    "{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: shop}, spec: {selector: {matchLabels: {app: wbe}}, rules: [{}]}}",
    "IST0127",
    "no pod of namespace shop"
)]
#[case::no_such_namespace(
    "{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: shop}, spec: {rules: [{from: [{source: {namespaces: [shpo]}}]}]}}",
    "IST0101",
    "there is no namespace shpo"
)]
#[case::misspelt(
    "{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: shop}, spec: {rules: [{form: []}]}}",
    "WEIR0010",
    "form"
)]
#[case::not_read(
    "{apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {name: s, namespace: shop}, spec: {}}",
    "IST0167",
    "does not read Sidecar"
)]
#[case::no_such_waypoint(
    "{apiVersion: v1, kind: Namespace, metadata: {name: x, labels: {istio.io/use-waypoint: w}}}",
    "IST0101",
    "there is no Gateway x/w"
)]
#[case::sidecars(
    "{apiVersion: v1, kind: Namespace, metadata: {name: x, labels: {istio-injection: enabled}}}",
    "IST0123",
    "asks for sidecars"
)]
#[case::mode(
    "{apiVersion: v1, kind: Namespace, metadata: {name: x, labels: {istio.io/dataplane-mode: ambiant}}}",
    "WEIR0023",
    "\"ambiant\" is neither"
)]
#[case::host_network(
    "{apiVersion: v1, kind: Pod, metadata: {name: h, namespace: shop}, spec: {hostNetwork: true, nodeName: a, containers: [{name: c, image: i}]}, status: {podIP: 10.9.0.1}}",
    "WEIR0021",
    ""
)]
#[case::closes_the_tunnel(
    "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: n, namespace: shop}, spec: {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}]}]}}",
    "WEIR0020",
    "not 15008"
)]
#[case::leaves_it_open(
    "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: n, namespace: shop}, spec: {podSelector: {}, ingress: [{ports: [{port: 80}, {port: 15000, endPort: 15010}]}]}}",
    "",
    ""
)]
#[case::closes_all(
    "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: n, namespace: shop}, spec: {podSelector: {}, policyTypes: [Ingress]}}",
    "",
    ""
)]
#[case::service_entry(
    "{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: e, namespace: shop, labels: {networking.istio.io/enable-autoallocate-ip: 'false'}}, spec: {hosts: [db.example.com], ports: [{number: 5432, name: tcp, protocol: TCP}], resolution: DNS}}",
    "IST0134",
    "no address"
)]
#[tokio::test]
async fn finds(#[case] text: &str, #[case] code: &str, #[case] message: &str) {
    let found = codes(text).await;
    match code {
        "" => assert!(found.is_empty(), "{found:#?}"),
        code => assert!(found.iter().any(|(c, m)| *c == code && m.contains(message)), "{found:#?}"),
    }
}

#[tokio::test]
async fn several_of_one_host_are_told_each() {
    let two = virtual_service("{hosts: [web], http: [{route: [{destination: {host: web}}]}]}");
    let found = codes(&format!("{two}{}", two.replace("name: v,", "name: w,"))).await;
    assert_eq!(found.iter().filter(|(code, _)| *code == "IST0109").count(), 2, "{found:?}");
}

#[tokio::test]
async fn what_an_object_does_not_want_to_hear_is_not_said() {
    let policy = "{apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {name: s, namespace: shop, annotations: {galley.istio.io/analyze-suppress: 'IST0101,IST0167'}}, spec: {}}";
    assert_eq!(codes(policy).await, []);
}

#[test]
fn codes_are_there_once() {
    let mut seen: Vec<_> = CODES.iter().map(|code| code.code).collect();
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count);
    assert!(CODES.windows(2).all(|pair| pair[0].code < pair[1].code), "in order, for who reads the list");
}
