use rstest::rstest;
use weir_index::Config;

use super::*;
use crate::mesh::Mesh;
use crate::objects::Objects;

const SHOP: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop}
spec: {nodeName: a, serviceAccountName: client, containers: [{name: c, image: i}]}
status: {podIP: 10.0.0.1, phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: stranger, namespace: other}
spec: {nodeName: a, serviceAccountName: default, containers: [{name: c, image: i}]}
status: {podIP: 10.0.0.9, phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web}}
spec: {nodeName: b, serviceAccountName: web, containers: [{name: c, image: i}]}
status: {podIP: 10.0.0.2, phase: Running}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
";

const STRICT: &str = "{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: p, namespace: shop}, spec: {mtls: {mode: STRICT}}}\n---\n";
const ONLY_ADMIN: &str = "{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: only-admin, namespace: shop}, spec: {rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/admin]}}]}]}}\n---\n";
const WAYPOINT: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop}
spec: {gatewayClassName: weir-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
---
apiVersion: v1
kind: Service
metadata: {name: waypoint, namespace: shop, labels: {gateway.istio.io/managed: istio.io-mesh-controller}}
spec: {clusterIP: 10.96.0.9, selector: {app: waypoint}, ports: [{name: mesh, port: 15008}]}
---
apiVersion: v1
kind: Pod
metadata: {name: waypoint-1, namespace: shop, labels: {app: waypoint, istio.io/dataplane-mode: none}}
spec: {nodeName: a, serviceAccountName: waypoint, containers: [{name: c, image: i}]}
status: {podIP: 10.0.0.5, phase: Running}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v, namespace: shop}
spec: {hosts: [web], http: [{name: admin, match: [{uri: {prefix: /admin}}], directResponse: {status: 403}}, {name: rest, match: [{uri: {prefix: /v1}}], route: [{destination: {host: web}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-delete, namespace: shop}
spec: {action: DENY, targetRefs: [{group: '', kind: Service, name: web}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}
---
";

async fn explained(text: &str, source: &str, destination: &str, request: &str) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let shop = match text.contains("kind: Gateway") {
        true => SHOP.replace(
            "metadata: {name: web, namespace: shop}",
            "metadata: {name: web, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}",
        ),
        false => SHOP.to_owned(),
    };
    std::fs::write(dir.path().join("all.yaml"), format!("{shop}{text}")).unwrap();
    let objects = Objects::read(&[dir.path().to_owned()]).unwrap();
    let mesh = Mesh::of_files(&objects, Config::default()).await.unwrap();
    let snapshot = mesh.index.snapshot();
    let names = Names::of(&snapshot).unwrap();
    let source = names.workload(source).map_err(|error| error.to_string())?;
    let dialled = names.dialled(destination, &source).map_err(|error| error.to_string())?;
    let asked = request.split_once(' ').map(|(method, path)| Asked {
        method: method.parse().unwrap(),
        authority: "web".into(),
        path: path.into(),
        headers: http::HeaderMap::new(),
    });
    let explanation =
        Explanation::of(&snapshot, &names.directory, &source, &dialled, asked.as_ref()).unwrap();
    let steps =
        explanation.steps.iter().map(|step| format!("{}: {}: {}\n", step.place, step.decision, step.why));
    Ok(format!("{}\n{}", if explanation.allowed { "yes" } else { "no" }, steps.collect::<String>()))
}

#[rstest]
#[case::tunnel(
    "",
    "shop/client",
    "web:80",
    "",
    "yes",
    "agent of b: let in: spiffe://cluster.local/ns/shop/sa/client may come in at port 8080"
)]
#[case::only_port("", "shop/client", "web", "", "yes", "10.0.0.2:8080")]
#[case::by_host("", "shop/client", "web.shop.svc.cluster.local:80", "", "yes", "let in")]
#[case::pod("", "shop/client", "shop/web-1:8080", "", "yes", "let in")]
#[case::outside("", "shop/client", "192.0.2.1:443", "", "yes", "agent of a: passed through")]
#[case::no_such_port("", "shop/client", "web:81", "", "no", "has no port 81")]
#[case::denied(
    ONLY_ADMIN,
    "shop/client",
    "web:80",
    "",
    "no",
    "agent of b: denied: no ALLOW policy matches: not shop/only-admin"
)]
#[case::plaintext("", "other/stranger", "shop/web:80", "", "yes", "plaintext may come in")]
#[case::plaintext_to_strict(
    STRICT,
    "other/stranger",
    "shop/web:80",
    "",
    "no",
    "(of PeerAuthentication STRICT: no plaintext)"
)]
#[case::routed(
    WAYPOINT,
    "shop/client",
    "web:80",
    "GET /v1/x",
    "yes",
    "routed: rule VirtualService/shop/v/rest"
)]
#[case::arrives(
    WAYPOINT,
    "shop/client",
    "web:80",
    "GET /v1/x",
    "yes",
    "agent of b: let in: spiffe://cluster.local/ns/shop/sa/waypoint may come in"
)]
#[case::answered(
    WAYPOINT,
    "shop/client",
    "web:80",
    "GET /admin",
    "yes",
    "answered: rule VirtualService/shop/v/admin"
)]
#[case::no_route(
    WAYPOINT,
    "shop/client",
    "web:80",
    "GET /x",
    "no",
    "answered 404: there are routes, and none matches"
)]
#[case::denied_there(
    WAYPOINT,
    "shop/client",
    "web:80",
    "DELETE /v1/x",
    "no",
    "denied: policy shop/no-delete denies it (rules[0])"
)]
#[case::past_it(
    WAYPOINT,
    "other/stranger",
    "shop/web:80",
    "GET /x",
    "no",
    "(only its waypoint may come here)"
)]
#[tokio::test]
async fn explains(
    #[case] text: &str,
    #[case] source: &str,
    #[case] destination: &str,
    #[case] request: &str,
    #[case] verdict: &str,
    #[case] step: &str,
) {
    let answer = explained(text, source, destination, request).await.unwrap();
    assert!(answer.starts_with(verdict) && answer.contains(step), "{answer}");
}

#[rstest]
#[case("shop/nobody", "web:80", "the workload \"shop/nobody\" is not in this mesh")]
#[case("shop/client", "nothing:80", "the destination \"nothing\" is not in this mesh")]
#[case("shop/client", "web-1", "a pod has no port of its own")]
#[case("shop/client", "web:http", "the port is no number")]
#[tokio::test]
async fn what_is_not_there_is_said(#[case] source: &str, #[case] destination: &str, #[case] why: &str) {
    let error = explained("", source, destination, "").await.unwrap_err();
    assert!(error.contains(why), "{error}");
}
