//! The cluster's API, as the command meets it: any kind, by its name.

mod error;
mod pods;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PropagationPolicy};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, ApiResource, Scope, pinned_kind};
use kube::{Client, config};
use serde_json::Value;

pub use error::ClusterError;
use error::call;
pub use pods::{PodRef, page_at};

/// A cluster, and who we are in it. Cheap to clone.
pub struct Cluster {
    client: Client,
    /// What was asked of its discovery.
    kinds: Mutex<BTreeMap<(String, String), (ApiResource, ApiCapabilities)>>,
}

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// `group/version`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Empty for one of the whole cluster.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// How an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// For good.
    Really,
    /// As a question: the server says what would become of it.
    Dry,
}

impl ObjectRef {
    /// The object that this JSON is.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
        }
    }

    /// One by its parts; no namespace: of the whole cluster.
    #[must_use]
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The same object, whatever version it is asked for in.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let group =
            |version: &str| version.split_once('/').map_or(String::new(), |(group, _)| group.to_owned());
        (&self.kind, &self.namespace, &self.name) == (&other.kind, &other.namespace, &other.name)
            && group(&self.api_version) == group(&other.api_version)
    }
}

impl std::fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ", self.kind)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

impl Cluster {
    /// The cluster of a kubeconfig: the one that is named, else `$KUBECONFIG`, else `~/.kube/config`, else the pod's own.
    ///
    /// # Errors
    /// There is none, or it cannot be used.
    pub async fn connect(kubeconfig: Option<PathBuf>, context: Option<String>) -> Result<Self, ClusterError> {
        let options = config::KubeConfigOptions { context, ..config::KubeConfigOptions::default() };
        let mut config = match kubeconfig {
            Some(path) => {
                let wrong =
                    |source| ClusterError::Kubeconfig { path: path.clone(), source: Box::new(source) };
                let file = config::Kubeconfig::read_from(&path).map_err(wrong)?;
                kube::Config::from_custom_kubeconfig(file, &options).await.map_err(wrong)?
            }
            None if options.context.is_some() => {
                let wrong = |source| ClusterError::Kubeconfig {
                    path: "$KUBECONFIG".into(),
                    source: Box::new(source),
                };
                kube::Config::from_kubeconfig(&options).await.map_err(wrong)?
            }
            None => kube::Config::infer().await.map_err(|error| ClusterError::None(Box::new(error)))?,
        };
        config.connect_timeout = Some(Duration::from_secs(10));
        let client = Client::try_from(config).map_err(|error| ClusterError::Client(Box::new(error)))?;
        Ok(Self { client, kinds: Mutex::default() })
    }

    /// The version of its API server, such as `v1.36.1`.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn version(&self) -> Result<String, ClusterError> {
        let info = call("asking for the version", self.client.apiserver_version()).await?;
        Ok(info.git_version)
    }

    /// Whether it serves a kind.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn serves(&self, api_version: &str, kind: &str) -> Result<bool, ClusterError> {
        match self.resource(api_version, kind).await {
            Ok(_) => Ok(true),
            Err(ClusterError::NotServed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An object; `None` if it, or its kind, is not there.
    ///
    /// # Errors
    /// The API says no, or nothing.
    pub async fn get(&self, object: &ObjectRef) -> Result<Option<Value>, ClusterError> {
        let api = match self.api(&object.api_version, &object.kind, &object.namespace).await {
            Err(ClusterError::NotServed { .. }) => return Ok(None),
            api => api?,
        };
        let found = call(&format!("reading {object}"), api.get_opt(&object.name)).await?;
        found.as_ref().map(|found| json(object, found)).transpose()
    }

    /// All objects of a kind, in a namespace or (empty) everywhere, with these labels; none if the kind is not there.
    ///
    /// # Errors
    /// The API says no, or nothing.
    pub async fn list(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        labels: &str,
    ) -> Result<Vec<Value>, ClusterError> {
        let api = match self.api(api_version, kind, namespace).await {
            Err(ClusterError::NotServed { .. }) => return Ok(Vec::new()),
            api => api?,
        };
        let about = ObjectRef::new(api_version, kind, namespace, "");
        let mut params = ListParams::default().labels(labels).limit(500);
        let mut all = Vec::new();
        loop {
            let page = call(&format!("listing {kind}"), api.list(&params)).await?;
            for item in &page.items {
                all.push(json(&about, item)?);
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(all),
            }
        }
    }

    /// Makes an object, or makes it right, as the fields that are ours; what has other fields keeps them.
    ///
    /// # Errors
    /// The API says no, or nothing.
    pub async fn apply(&self, object: &Value, write: Write) -> Result<Value, ClusterError> {
        let about = ObjectRef::of(object);
        let api = self.api(&about.api_version, &about.kind, &about.namespace).await?;
        let mut params = PatchParams::apply(FIELD_MANAGER).force();
        params.dry_run = write == Write::Dry;
        let patch = Patch::Apply(object);
        let applied = api.patch(&about.name, &params, &patch);
        json(&about, &call(&format!("applying {about}"), applied).await?)
    }

    /// Changes single fields of an object (JSON merge patch).
    ///
    /// # Errors
    /// The API says no, or nothing.
    pub async fn merge(&self, object: &ObjectRef, patch: &Value) -> Result<Value, ClusterError> {
        let api = self.api(&object.api_version, &object.kind, &object.namespace).await?;
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let patch = Patch::Merge(patch);
        let patched = api.patch(&object.name, &params, &patch);
        json(object, &call(&format!("changing {object}"), patched).await?)
    }

    /// As [`Cluster::merge`], for its status.
    ///
    /// # Errors
    /// The API says no, or nothing.
    pub async fn merge_status(&self, object: &ObjectRef, patch: &Value) -> Result<Value, ClusterError> {
        let api = self.api(&object.api_version, &object.kind, &object.namespace).await?;
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let patch = Patch::Merge(patch);
        let patched = api.patch_status(&object.name, &params, &patch);
        json(object, &call(&format!("changing the status of {object}"), patched).await?)
    }

    /// Deletes an object and what belongs to it; false if it was not there.
    ///
    /// # Errors
    /// The API says no, or nothing.
    pub async fn delete(&self, object: &ObjectRef) -> Result<bool, ClusterError> {
        let api = match self.api(&object.api_version, &object.kind, &object.namespace).await {
            Err(ClusterError::NotServed { .. }) => return Ok(false),
            api => api?,
        };
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Foreground),
            ..DeleteParams::default()
        };
        match call(&format!("deleting {object}"), api.delete(&object.name, &params)).await {
            Err(ClusterError::Refused { code: 404, .. }) => Ok(false),
            result => result.map(|_| true),
        }
    }

    async fn api(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
    ) -> Result<Api<DynamicObject>, ClusterError> {
        let (resource, capabilities) = self.resource(api_version, kind).await?;
        Ok(match (capabilities.scope, namespace) {
            (Scope::Cluster, _) | (_, "") => Api::all_with(self.client.clone(), &resource),
            (Scope::Namespaced, namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
        })
    }

    async fn resource(
        &self,
        api_version: &str,
        kind: &str,
    ) -> Result<(ApiResource, ApiCapabilities), ClusterError> {
        let key = (api_version.to_owned(), kind.to_owned());
        if let Some(known) = self.kinds.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let not_served = || ClusterError::NotServed { api_version: api_version.into(), kind: kind.into() };
        let found = match call("asking what the cluster serves", pinned_kind(&self.client, &gvk)).await {
            Err(ClusterError::Refused { code: 404, .. } | ClusterError::Discovery(_)) => {
                return Err(not_served());
            }
            found => found?,
        };
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).insert(key, found.clone());
        Ok(found)
    }
}

/// With its kind, which the API leaves out in lists.
fn json(about: &ObjectRef, object: &DynamicObject) -> Result<Value, ClusterError> {
    let mut value = serde_json::to_value(object).map_err(ClusterError::Json)?;
    if let Some(fields) = value.as_object_mut() {
        fields.entry("apiVersion").or_insert_with(|| about.api_version.as_str().into());
        fields.entry("kind").or_insert_with(|| about.kind.as_str().into());
    }
    Ok(value)
}

/// Whose the fields are.
pub const FIELD_MANAGER: &str = "weir";
