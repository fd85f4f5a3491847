//! The mesh as objects: a hundred pods a node, twenty a service, and what usually comes with them.

use serde_json::{Value, json};

/// A mesh of a number of pods. All of it follows from the number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mesh {
    pub(crate) pods: usize,
}

impl Mesh {
    pub(crate) fn nodes(self) -> usize {
        self.pods.div_ceil(PODS_OF_A_NODE)
    }

    pub(crate) fn services(self) -> usize {
        self.pods.div_ceil(PODS_OF_A_SERVICE)
    }

    pub(crate) fn namespaces(self) -> usize {
        self.services().div_ceil(SERVICES_OF_A_NAMESPACE)
    }

    /// What is of no service: nodes, namespaces with their policies, hosts outside.
    pub(crate) fn common(self) -> impl Iterator<Item = Value> {
        let root = [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ROOT}}),
            json!({
                "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
                "metadata": {"name": "default", "namespace": ROOT}, "spec": {"mtls": {"mode": "STRICT"}},
            }),
        ];
        let nodes = (0..self.nodes()).map(node);
        let namespaces = (0..self.namespaces()).flat_map(namespace);
        let hosts = (0..self.pods.div_ceil(PODS_OF_A_HOST)).map(host);
        root.into_iter().chain(nodes).chain(namespaces).chain(hosts)
    }

    /// A service with its account, its endpoints and its pods; those in `down` are not ready.
    pub(crate) fn service(self, n: usize, down: impl Fn(usize) -> bool) -> Vec<Value> {
        let pods = n * PODS_OF_A_SERVICE..((n + 1) * PODS_OF_A_SERVICE).min(self.pods);
        let (name, namespace) = (app(n), namespace_of(n));
        let mut objects = vec![
            json!({
                "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace},
            }),
            json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
                "spec": {
                    "clusterIP": format!("10.{}.{}.{}", 200 + n / 65536, n / 256 % 256, n % 256),
                    "selector": {"app": name},
                    "ports": [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "grpc", "port": 81, "targetPort": 8081}],
                },
            }),
            json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": {
                    "name": format!("{name}-x7k2p"), "namespace": namespace, "labels": {"kubernetes.io/service-name": name},
                },
                "ports": [{"name": "http", "port": 8080}, {"name": "grpc", "port": 8081}],
                "endpoints": pods.clone().map(|pod| json!({
                    "addresses": [address(pod)], "conditions": {"ready": true},
                    "targetRef": {"kind": "Pod", "name": pod_name(pod), "namespace": namespace},
                })).collect::<Vec<_>>(),
            }),
        ];
        if n.is_multiple_of(SERVICES_OF_A_POLICY) {
            objects.push(json!({
                "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {
                    "selector": {"matchLabels": {"app": name}},
                    "rules": [{
                        "from": [{"source": {"principals": [format!("cluster.local/ns/{namespace}/sa/{}", app(n + 1))]}}],
                        "to": [{"operation": {"ports": ["8080", "8081"]}}],
                    }],
                },
            }));
        }
        objects.extend(pods.map(|pod| self::pod(pod, !down(pod))));
        objects
    }
}

/// Which service a pod belongs to.
pub(crate) fn service_of(pod: usize) -> usize {
    pod / PODS_OF_A_SERVICE
}

/// The name of a service's resource, as agents ask for it.
pub(crate) fn service_resource(n: usize) -> String {
    let namespace = namespace_of(n);
    format!("{namespace}/{}.{namespace}.svc.cluster.local", app(n))
}

/// The name of a pod's resource.
pub(crate) fn pod_resource(pod: usize) -> String {
    format!("Kubernetes//Pod/{}/{}", namespace_of(service_of(pod)), pod_name(pod))
}

pub(crate) fn node_name(n: usize) -> String {
    format!("node-{n}")
}

/// A pod of a usual shape, as the API shows it (without `managedFields`).
pub(crate) fn pod(n: usize, ready: bool) -> Value {
    let (service, ready) = (service_of(n), if ready { "True" } else { "False" });
    let (app, namespace, hash) = (app(service), namespace_of(service), hash(service));
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": "2026-11-01T08:00:00Z"});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": pod_name(n), "generateName": format!("{app}-{hash}-"), "namespace": namespace,
            "uid": format!("{n:08x}-0000-4000-8000-{n:012x}"), "creationTimestamp": "2026-11-01T08:00:00Z",
            "labels": {
                "app": app, "version": "v1", "pod-template-hash": hash,
                "app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/part-of": namespace,
            },
            "annotations": {"ambient.istio.io/redirection": "enabled", "prometheus.io/scrape": "true"},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{app}-{hash}"),
                "uid": format!("{service:08x}-0000-4000-9000-000000000000"), "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "nodeName": node_name(n / PODS_OF_A_NODE), "serviceAccountName": app, "restartPolicy": "Always",
            "containers": [{
                "name": "app", "image": format!("registry.example.com/{namespace}/{app}:1.42.0"),
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}, {"name": "grpc", "containerPort": 8081, "protocol": "TCP"}],
                "env": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
                "volumeMounts": [{"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}],
            }],
            "volumes": [{"name": "kube-api-access", "projected": {"defaultMode": 420, "sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]}}],
        },
        "status": {
            "phase": "Running", "hostIP": format!("172.16.{}.{}", n / PODS_OF_A_NODE / 256, n / PODS_OF_A_NODE % 256),
            "podIP": address(n), "podIPs": [{"ip": address(n)}], "startTime": "2026-11-01T08:00:00Z", "qosClass": "Burstable",
            "conditions": [condition("PodScheduled", "True"), condition("Initialized", "True"), condition("ContainersReady", ready), condition("Ready", ready)],
            "containerStatuses": [{
                "name": "app", "ready": ready == "True", "restartCount": 0, "image": format!("registry.example.com/{namespace}/{app}:1.42.0"),
                "containerID": format!("containerd://{n:064x}"), "state": {"running": {"startedAt": "2026-11-01T08:00:01Z"}},
            }],
        },
    })
}

fn node(n: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node_name(n), "labels": {
        "topology.kubernetes.io/region": "europe-west",
        "topology.kubernetes.io/zone": format!("europe-west-{}", n % 3), "kubernetes.io/hostname": node_name(n),
    }}})
}

/// A namespace in the mesh, a policy for all of it, and now and then a mode of its own.
fn namespace(n: usize) -> Vec<Value> {
    let name = format!("team-{n}");
    let mut objects = vec![
        json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"istio.io/dataplane-mode": "ambient", "kubernetes.io/metadata.name": name}},
        }),
        json!({
            "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
            "metadata": {"name": "neighbours", "namespace": name},
            "spec": {"rules": [{"from": [{"source": {"namespaces": [name, format!("team-{}", n + 1), "ingress"]}}]}]},
        }),
    ];
    if n.is_multiple_of(NAMESPACES_OF_A_MODE) {
        objects.push(json!({
            "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
            "metadata": {"name": "default", "namespace": name}, "spec": {"mtls": {"mode": "PERMISSIVE"}},
        }));
    }
    objects
}

/// A host outside of the mesh.
fn host(n: usize) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": {"name": format!("outside-{n}"), "namespace": "team-0"},
        "spec": {
            "hosts": [format!("outside-{n}.example.com")], "location": "MESH_EXTERNAL", "resolution": "STATIC",
            "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}],
            "endpoints": [{"address": format!("192.0.2.{}", n % 250 + 1)}, {"address": format!("198.51.100.{}", n % 250 + 1)}],
        },
    })
}

fn app(service: usize) -> String {
    format!("app-{service}")
}

fn namespace_of(service: usize) -> String {
    format!("team-{}", service / SERVICES_OF_A_NAMESPACE)
}

fn pod_name(n: usize) -> String {
    let service = service_of(n);
    format!("{}-{}-{n:05x}", app(service), hash(service))
}

/// As a ReplicaSet's name ends.
fn hash(service: usize) -> String {
    format!("{:08x}", service.wrapping_mul(2_654_435_761) % 0xffff_ffff)
}

fn address(pod: usize) -> String {
    format!("10.{}.{}.{}", pod / 65536, pod / 256 % 256, pod % 256)
}

/// Namespace of the control plane.
pub(crate) const ROOT: &str = "weir-system";
const PODS_OF_A_NODE: usize = 100;
pub(crate) const PODS_OF_A_SERVICE: usize = 20;
const SERVICES_OF_A_NAMESPACE: usize = 25;
const SERVICES_OF_A_POLICY: usize = 5;
const NAMESPACES_OF_A_MODE: usize = 10;
const PODS_OF_A_HOST: usize = 1000;
