//! The same objects mean the same mesh, whichever source they come from.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::mpsc;
use weir_harness::kube_api::KubeApi;
use weir_index::{Config, Index, ResourceKind};
use weir_resources::Event;
use weir_sources::{Cluster, Directory};

/// Published resources by name: what goes over the wire.
type Published = BTreeMap<String, Vec<u8>>;

#[tokio::test]
async fn a_directory_and_a_cluster_publish_the_same() -> Result<()> {
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("mesh.yaml"), MESH)?;
    let (sender, events) = mpsc::channel(16);
    let directory = tokio::spawn(Directory::new(dir.path().to_path_buf()).run(sender));
    let from_files = published(events).await.context("the directory")?;
    directory.abort();

    let api = KubeApi::with_mesh_kinds()?;
    api.put_yaml(MESH)?;
    let elsewhere = tempfile::tempdir()?;
    let cluster = Cluster::connect(Some(api.kubeconfig(elsewhere.path())?), None).await?;
    let (sender, events) = mpsc::channel(16);
    tokio::spawn(cluster.root_namespace("weir-system").run(sender));
    let from_cluster = published(events).await.context("the cluster")?;

    let names = |published: &Published| published.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&from_files), names(&from_cluster));
    for (name, body) in &from_files {
        assert_eq!(body, &from_cluster[name], "{name}");
    }
    for wanted in [
        "workload Kubernetes//Pod/shop/web-1",
        "service shop/web.shop.svc.cluster.local",
        "service shop/db.example",
        "policy shop/only-web",
        "policy shop/converted_peer_authentication_strict-for-web",
    ] {
        assert!(from_files.contains_key(wanted), "{wanted} is not in {:#?}", names(&from_files));
    }
    Ok(())
}

async fn published(mut events: mpsc::Receiver<Vec<Event>>) -> Result<Published> {
    let mut index = Index::new(Config::default());
    while !index.is_synced() {
        let batch = tokio::time::timeout(Duration::from_secs(20), events.recv()).await;
        let batch = batch.context("not all kinds are synced")?.context("the source ended")?;
        batch.into_iter().for_each(|event| index.apply(event));
    }
    index.commit();
    let snapshot = index.snapshot();
    let mut published = Published::new();
    for resource in snapshot.addresses() {
        let what = match resource.kind {
            ResourceKind::Service => "service",
            _ => "workload",
        };
        published.insert(format!("{what} {}", resource.name), resource.body.to_vec());
    }
    for resource in snapshot.authorizations() {
        published.insert(format!("policy {}", resource.name), resource.body.to_vec());
    }
    Ok(published)
}

/// With all that a cluster would fill in.
const MESH: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Node
metadata: {name: a, labels: {topology.kubernetes.io/region: r, topology.kubernetes.io/zone: z}}
status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: shop}
---
apiVersion: v1
kind: Pod
metadata:
  name: web-1
  namespace: shop
  labels: {app: web}
  annotations: {ambient.istio.io/redirection: enabled}
spec:
  nodeName: a
  serviceAccountName: web
  containers: [{name: web, ports: [{name: http, containerPort: 8080}]}]
status:
  phase: Running
  podIP: 10.0.0.1
  podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]
  conditions: [{type: Ready, status: "True"}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIP: 10.96.7.7
  clusterIPs: [10.96.7.7]
  ipFamilies: [IPv4]
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: headless, namespace: shop}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-x, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1], conditions: {ready: true}, nodeName: a, targetRef: {kind: Pod, namespace: shop, name: web-1}}]
ports: [{name: http, port: 8080, protocol: TCP}]
---
apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata: {name: db, namespace: shop}
spec:
  hosts: [db.example]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 5432, name: tcp, protocol: TCP}]
  endpoints: [{address: 172.16.0.9}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  action: ALLOW
  rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}], to: [{operation: {ports: ["8080"]}}]}]
---
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata: {name: strict-for-web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  mtls: {mode: STRICT}
  portLevelMtls: {"9090": {mode: PERMISSIVE}}
"#;
