//! The Deployment: `weir-waypoint run` in pods without privileges.

use serde_json::{Map, Value, json};

use crate::names::{Names, labels, metadata, selector};
use crate::service::{NETWORK, network};
use crate::{Input, PartKind, Settings};

pub(crate) fn deployment(input: &Input<'_>, settings: &Settings, names: &Names) -> Value {
    let gateway = input.gateway;
    json!({
        "apiVersion": PartKind::Deployment.api_version(), "kind": PartKind::Deployment.name(),
        "metadata": metadata(gateway, &names.own),
        "spec": {
            "selector": {"matchLabels": selector(gateway)},
            // A new pod is there before an old one goes.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"metadata": pod_metadata(input, names), "spec": pod(input, settings, names)},
        },
    })
}

fn pod_metadata(input: &Input<'_>, names: &Names) -> Value {
    let own = &input.gateway.infrastructure;
    let text = |(name, value): (&str, &str)| (name.to_owned(), json!(value));
    let mut all: Map<String, Value> = own.labels.iter().map(text).collect();
    all.extend(labels(input.gateway));
    for (name, value) in [
        // It ends tunnels itself; an agent in between would end them first.
        ("istio.io/dataplane-mode", "none"),
        ("sidecar.istio.io/inject", "false"),
        ("service.istio.io/canonical-name", &*names.own),
        ("service.istio.io/canonical-revision", "latest"),
    ] {
        all.insert(name.to_owned(), json!(value));
    }
    if let Some(network) = network(input.gateway, input.network) {
        all.insert(NETWORK.to_owned(), json!(network));
    }
    let mut annotations: Map<String, Value> = own.annotations.iter().map(text).collect();
    for (name, value) in [("scrape", "true"), ("port", "15020"), ("path", "/stats/prometheus")] {
        annotations.entry(format!("prometheus.io/{name}")).or_insert(json!(value));
    }
    json!({"labels": all, "annotations": annotations})
}

fn pod(input: &Input<'_>, settings: &Settings, names: &Names) -> Value {
    let together = json!({"matchLabels": selector(input.gateway)});
    json!({
        "serviceAccountName": names.account,
        // It asks the controller, never the API.
        "automountServiceAccountToken": false,
        // Longer than `--drain-delay`, in which it serves on, and then `--drain`, in which open connections may go on.
        "terminationGracePeriodSeconds": 40,
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
            "weight": 100,
            "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": together},
        }]}},
        "topologySpreadConstraints": [{
            "topologyKey": "topology.kubernetes.io/zone", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": together,
        }],
        "containers": [container(input, settings)],
        "volumes": [
            {"name": "istio-token", "projected": {"sources": [{"serviceAccountToken": {
                "audience": "istio-ca", "expirationSeconds": 43_200, "path": "istio-token",
            }}]}},
            {"name": "istiod-ca-cert", "configMap": {"name": "istio-ca-root-cert"}},
        ],
    })
}

fn container(input: &Input<'_>, settings: &Settings) -> Value {
    let meta = &input.gateway.meta;
    json!({
        // Under Istio's name, so that its overlays and tools find it.
        "name": CONTAINER,
        "image": settings.image,
        "command": ["weir-waypoint"],
        "args": ["run", "--gateway", format!("{}/{}", meta.namespace, meta.name)],
        "env": environment(input, settings),
        "ports": [
            {"name": "hbone", "containerPort": 15008, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 15020, "protocol": "TCP"},
            {"name": "status-port", "containerPort": 15021, "protocol": "TCP"},
        ],
        "startupProbe": probe(1, 30),
        "readinessProbe": probe(15, 4),
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "2", "memory": "1Gi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": false, "privileged": false, "readOnlyRootFilesystem": true,
            "runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "istio-token", "mountPath": "/var/run/secrets/tokens", "readOnly": true},
            {"name": "istiod-ca-cert", "mountPath": "/var/run/secrets/istio", "readOnly": true},
        ],
    })
}

/// What `weir-waypoint run --help` asks for; the rest has defaults.
fn environment(input: &Input<'_>, settings: &Settings) -> Vec<Value> {
    let from =
        |name: &str, field: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": field}}});
    let mut all = vec![
        from("POD_NAME", "metadata.name"),
        from("POD_NAMESPACE", "metadata.namespace"),
        // All of them: a comma-separated list.
        from("INSTANCE_IP", "status.podIPs"),
        from("SERVICE_ACCOUNT", "spec.serviceAccountName"),
        json!({"name": "WEIR_XDS_ADDRESS", "value": settings.control}),
        json!({"name": "WEIR_CLUSTER_ID", "value": settings.cluster_id}),
    ];
    if let Some(network) = network(input.gateway, input.network) {
        all.push(json!({"name": "WEIR_NETWORK", "value": network}));
    }
    all
}

fn probe(period: u32, failures: u32) -> Value {
    json!({
        "httpGet": {"path": "/healthz/ready", "port": 15021, "scheme": "HTTP"},
        "periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": 1, "successThreshold": 1,
    })
}

pub(crate) const CONTAINER: &str = "istio-proxy";
/// Istio's, so that rules about it fit.
const USER: u32 = 1337;
