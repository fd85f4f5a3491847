//! The cluster's API, as a story writes: any kind, by its name, one call after the other.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiResource, Scope, pinned_kind};
use kube::{Client, Config};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::settings::Settings;

/// A cluster. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cluster(Rc<Inner>);

struct Inner {
    settings: Settings,
    runtime: Runtime,
    client: Client,
    kinds: RefCell<BTreeMap<(String, String), (ApiResource, Scope)>>,
}

/// Which objects: of a kind, in a namespace or (empty) everywhere, and perhaps of a name or with labels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Which {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) labels: String,
}

impl Which {
    /// One by its name.
    pub(crate) fn one(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        let [api_version, kind, namespace, name] = [api_version, kind, namespace, name].map(str::to_owned);
        Self { api_version, kind, namespace, name, labels: String::new() }
    }

    /// All with these labels.
    pub(crate) fn with(api_version: &str, kind: &str, namespace: &str, labels: &str) -> Self {
        Self { labels: labels.to_owned(), ..Self::one(api_version, kind, namespace, "") }
    }

    /// The one that this JSON is.
    pub(crate) fn of(object: &Value) -> Self {
        let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default();
        Self::one(text("/apiVersion"), text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
    }
}

impl std::fmt::Display for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}{}", self.kind, self.namespace, self.name, self.labels)
    }
}

impl Cluster {
    /// The one that the settings name.
    pub(crate) fn connect(settings: Settings) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let path = &settings.kubeconfig;
        let client = runtime
            .block_on(async {
                let file = Kubeconfig::read_from(path)?;
                let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
                config.connect_timeout = Some(Duration::from_secs(10));
                anyhow::Ok(Client::try_from(config)?)
            })
            .with_context(|| format!("the kubeconfig {}", path.display()))?;
        Ok(Self(Rc::new(Inner { settings, runtime, client, kinds: RefCell::default() })))
    }

    /// What the suite was told.
    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// For what goes beyond one call.
    pub(crate) fn client(&self) -> Client {
        self.0.client.clone()
    }

    /// Waits for it, in the story's own thread.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.runtime.block_on(future)
    }

    /// An object; `None`: it is not there.
    pub(crate) fn get(&self, which: &Which) -> Result<Option<Value>> {
        let api = self.api(which)?;
        let found = self.block_on(api.get_opt(&which.name)).with_context(|| format!("reading {which}"))?;
        found.map(|object| with_kind(which, object)).transpose()
    }

    /// All of them.
    pub(crate) fn list(&self, which: &Which) -> Result<Vec<Value>> {
        let api = self.api(which)?;
        let params = ListParams::default().labels(&which.labels);
        let list = self.block_on(api.list(&params)).with_context(|| format!("listing {which}"))?;
        list.items.into_iter().map(|object| with_kind(which, object)).collect()
    }

    /// Makes an object, or makes it right.
    pub(crate) fn apply(&self, object: &Value) -> Result<Value> {
        let which = Which::of(object);
        let api = self.api(&which)?;
        let params = PatchParams::apply("weir-live").force();
        let applied = self.block_on(api.patch(&which.name, &params, &Patch::Apply(object)));
        with_kind(&which, applied.with_context(|| format!("applying {which}"))?)
    }

    /// All documents of a file of this repository.
    pub(crate) fn apply_file(&self, path: &str) -> Result<Vec<Value>> {
        documents(path)?.iter().map(|object| self.apply(object)).collect()
    }

    /// Changes single fields (JSON merge patch).
    pub(crate) fn merge(&self, which: &Which, patch: &Value) -> Result<()> {
        let api = self.api(which)?;
        let patched = self.block_on(api.patch(&which.name, &PatchParams::default(), &Patch::Merge(patch)));
        patched.map(drop).with_context(|| format!("changing {which}"))
    }

    /// Deletes one, if it is there. It may take its time to go.
    pub(crate) fn delete(&self, which: &Which) -> Result<()> {
        let api = self.api(which)?;
        match self.block_on(api.delete(&which.name, &DeleteParams::foreground())) {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            result => result.map(drop).with_context(|| format!("deleting {which}")),
        }
    }

    /// The API of a kind.
    pub(crate) fn api(&self, which: &Which) -> Result<Api<DynamicObject>> {
        let (resource, scope) = self.kind(&which.api_version, &which.kind)?;
        Ok(match (scope, which.namespace.as_str()) {
            (Scope::Cluster, _) | (_, "") => Api::all_with(self.client(), &resource),
            (Scope::Namespaced, namespace) => Api::namespaced_with(self.client(), namespace, &resource),
        })
    }

    fn kind(&self, api_version: &str, kind: &str) -> Result<(ApiResource, Scope)> {
        let key = (api_version.to_owned(), kind.to_owned());
        if let Some(known) = self.0.kinds.borrow().get(&key) {
            return Ok(known.clone());
        }
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let named = GroupVersionKind::gvk(group, version, kind);
        let found = self.block_on(pinned_kind(&self.0.client, &named));
        let (resource, capabilities) =
            found.with_context(|| format!("does the cluster serve {kind} of {api_version}?"))?;
        let found = (resource, capabilities.scope);
        self.0.kinds.borrow_mut().insert(key, found.clone());
        Ok(found)
    }
}

fn documents(path: &str) -> Result<Vec<Value>> {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    weir_resources::documents(&text)
        .map(|document| {
            document.map(|(_, object)| object).map_err(|problem| anyhow::anyhow!("{path}: {problem}"))
        })
        .collect()
}

/// The API leaves it out in lists.
fn with_kind(which: &Which, object: DynamicObject) -> Result<Value> {
    let mut value = serde_json::to_value(object)?;
    value["apiVersion"] = which.api_version.as_str().into();
    value["kind"] = which.kind.as_str().into();
    Ok(value)
}
