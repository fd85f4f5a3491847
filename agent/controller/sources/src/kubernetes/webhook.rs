//! How the API server finds the validating webhook, and whom it trusts there.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Map, Value, json};
use weir_resources::Kind;

use super::error::call;
use super::{ApiError, Cluster, FIELD_MANAGER};

/// A validating webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Name of the `ValidatingWebhookConfiguration`.
    pub name: String,
    /// Where it is.
    pub target: Target,
    /// Path of its URL.
    pub path: String,
    /// Roots of its certificate, PEM.
    pub ca_bundle: String,
    /// What cannot be checked is refused.
    pub fail_closed: bool,
    /// Only objects of namespaces with this label are checked: key and value.
    pub only: Option<(String, String)>,
}

/// Where the API server finds the webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// At a Service.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its port.
        port: u16,
    },
    /// At `https://host:port`, from outside of the cluster.
    Url(String),
}

impl Webhook {
    /// Makes the configuration, or makes it right. It is written only if it is different; the fields of others stay.
    ///
    /// # Errors
    /// The API did not do it.
    pub async fn write(&self, cluster: &Cluster) -> Result<(), ApiError> {
        let api: Api<ValidatingWebhookConfiguration> = Api::all(cluster.client.clone());
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let what = format!("writing ValidatingWebhookConfiguration {}", self.name);
        call(&what, api.patch(&self.name, &params, &Patch::Apply(self.object()))).await.map(drop)
    }

    fn object(&self) -> Value {
        let rules: Vec<Value> = CHECKED.into_iter().map(rule).collect();
        // What was applied once and is not any more goes: without labels the API's own `{}` is there again.
        let labels: Option<Map<_, _>> =
            self.only.clone().map(|(key, value)| [(key, value.into())].into_iter().collect());
        let selector = labels.map_or_else(|| json!({}), |labels| json!({"matchLabels": labels}));
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": self.name, "labels": {"app.kubernetes.io/part-of": "weir"}},
            "webhooks": [{
                "name": "validation.weir.dev",
                "clientConfig": self.client_config(),
                "rules": rules,
                "namespaceSelector": selector,
                "failurePolicy": if self.fail_closed { "Fail" } else { "Ignore" },
                "matchPolicy": "Equivalent",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 5,
            }],
        })
    }

    fn client_config(&self) -> Value {
        let bundle = ByteString(self.ca_bundle.clone().into_bytes());
        match &self.target {
            Target::Service { namespace, name, port } => json!({
                "caBundle": bundle,
                "service": {"namespace": namespace, "name": name, "port": port, "path": self.path},
            }),
            Target::Url(base) => json!({"caBundle": bundle, "url": format!("{base}{}", self.path)}),
        }
    }
}

/// What is checked before it is stored: the kinds whose authors write for the mesh.
const CHECKED: [Kind; 9] = [
    Kind::AuthorizationPolicy,
    Kind::PeerAuthentication,
    Kind::ServiceEntry,
    Kind::WorkloadEntry,
    Kind::WorkloadGroup,
    Kind::VirtualService,
    Kind::DestinationRule,
    Kind::HttpRoute,
    Kind::GrpcRoute,
];

fn rule(kind: Kind) -> Value {
    json!({
        "apiGroups": [kind.group()], "apiVersions": kind.versions(), "resources": [kind.plural()],
        "operations": ["CREATE", "UPDATE"], "scope": "Namespaced",
    })
}
