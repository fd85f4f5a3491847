//! A Kubernetes API server in this process, for faults that a real one shows once a year.
//!
//! It answers discovery, list (in pages), watch (with bookmarks), create, update, patch, apply and delete, keeps resource
//! versions, generations and the status apart, and reviews tokens. What it does when all is well follows the API's
//! documentation (server-side apply with owners of fields, owner references too); truth comes from real clusters. What it is for is to misbehave when told: [`KubeApi::fault`],
//! [`KubeApi::cut`], [`KubeApi::compact`], [`KubeApi::freeze`].
//!
//! ```text
//!   client --HTTP--> server --> faults --> route --> rest --> store <-- KubeApi (the test, no rules asked)
//!                                            \--> watch ------/
//! ```
//!
//! It listens on loopback, without TLS and without asking who calls; whoever it is has all rights, or those of
//! [`KubeApi::grant`].

mod answer;
mod crd;
mod discovery;
mod fault;
mod forward;
mod issuer;
mod kinds;
mod manage;
mod patch;
mod rest;
mod review;
mod rights;
mod route;
mod selector;
mod server;
mod store;
mod watch;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

pub use fault::{Call, Cut, Fault};
pub use issuer::TokenIssuer;
pub use review::TokenOwner;

use store::{Id, Store};

/// The server. It ends when this is dropped, and what it held is gone.
#[derive(Debug)]
pub struct KubeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// A request as it came, for tests that count them.
#[derive(Debug, Clone)]
pub struct Request {
    /// As RBAC names it: get, list, watch, create, update, patch, delete.
    pub verb: &'static str,
    /// As RBAC names it: `pods`, `services/status`; empty for what is no resource.
    pub resource: String,
    /// Path and query.
    pub uri: String,
    /// `Content-Type`, empty if there is none.
    pub content_type: String,
    /// The body, if it is JSON.
    pub body: Value,
    /// What was answered; 0: nothing.
    pub status: u16,
}

#[derive(Debug)]
pub(crate) struct Shared {
    store: Mutex<Store>,
    faults: fault::Faults,
    log: Mutex<Vec<Request>>,
    tokens: review::Tokens,
    issuer: TokenIssuer,
    forwards: forward::Forwards,
    /// `None`: all.
    rights: Mutex<Option<rights::Rights>>,
    /// How often a watch that asked for bookmarks gets one, milliseconds.
    bookmarks: AtomicU64,
}

impl Shared {
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn bookmarks(&self) -> Duration {
        Duration::from_millis(self.bookmarks.load(Ordering::Relaxed))
    }

    pub(crate) fn rights(&self) -> MutexGuard<'_, Option<rights::Rights>> {
        self.rights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn log(&self, request: Request) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }
}

impl KubeApi {
    /// Starts one that serves Kubernetes' own kinds and nothing else.
    pub fn start() -> Result<Self> {
        let shared = Arc::new(Shared {
            store: Mutex::new(Store::new()),
            faults: fault::Faults::default(),
            log: Mutex::default(),
            tokens: review::Tokens::default(),
            issuer: TokenIssuer::new()?,
            forwards: forward::Forwards::default(),
            rights: Mutex::default(),
            bookmarks: AtomicU64::new(200),
        });
        let (address, stop, thread) = server::start(shared.clone())?;
        let api = Self { address, shared, stop: Some(stop), thread: Some(thread) };
        api.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}))?;
        Ok(api)
    }

    /// Starts one that also serves the kinds that the mesh reads: Istio's and the Gateway API's.
    pub fn with_mesh_kinds() -> Result<Self> {
        let api = Self::start()?;
        for kind in kinds::mesh() {
            api.shared.store().add_kind(kind);
        }
        Ok(api)
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Writes a kubeconfig for it into a directory.
    pub fn kubeconfig(&self, dir: &Path) -> Result<PathBuf> {
        let path = dir.join("kubeconfig.yaml");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url()}}],
            "users": [{"name": "test", "user": {}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        });
        std::fs::write(&path, serde_json::to_vec_pretty(&config)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Makes the object what is given, status and all, whatever was there; its namespace comes into being.
    pub fn put(&self, object: Value) -> Result<Value> {
        Ok(self.shared.store().put(object)?)
    }

    /// As [`KubeApi::put`], for an object that was read: refused if it is another meanwhile, or gone.
    pub fn update(&self, object: Value) -> Result<Value> {
        let mut store = self.shared.store();
        let kind = store.kind_of(&object)?;
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
        let now = store.get(&Id::new(&kind, text("namespace"), text("name")));
        if now.is_none_or(|now| now["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"]) {
            bail!("{} {} is not what was read", kind.kind, text("name"));
        }
        Ok(store.put(object)?)
    }

    /// [`KubeApi::put`] for each document of a YAML text.
    pub fn put_yaml(&self, text: &str) -> Result<()> {
        for document in text.split("\n---") {
            if document.lines().all(|line| line.trim().is_empty() || line.starts_with('#') || line == "---") {
                continue;
            }
            let value: Value = serde_saphyr::from_str(document).with_context(|| document.to_owned())?;
            self.put(value)?;
        }
        Ok(())
    }

    /// The object, or `None`. The resource is given as in RBAC, for example `authorizationpolicies`.
    #[must_use]
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let store = self.shared.store();
        let kind = store.kind_named(resource)?;
        store.get(&Id::new(&kind, namespace, name)).map(|object| (**object).clone())
    }

    /// Takes the object away.
    pub fn delete(&self, resource: &str, namespace: &str, name: &str) -> Result<()> {
        let mut store = self.shared.store();
        let kind = store.kind_named(resource).with_context(|| format!("{resource} is not served"))?;
        if store.remove(&Id::new(&kind, namespace, name)).is_none() {
            bail!("there is no {resource} {namespace}/{name}");
        }
        Ok(())
    }

    /// Serves one of the mesh's kinds from now on.
    pub fn serve(&self, resource: &str) -> Result<()> {
        let kind = kinds::mesh().into_iter().find(|kind| kind.plural == resource);
        self.shared.store().add_kind(kind.with_context(|| format!("{resource} is not known"))?);
        Ok(())
    }

    /// Serves these versions only of a kind, the preferred first.
    pub fn serve_versions(&self, resource: &str, versions: &[&str]) -> Result<()> {
        let mut store = self.shared.store();
        let mut kind = store.kind_named(resource).with_context(|| format!("{resource} is not served"))?;
        kind.versions = versions.iter().map(|&v| v.to_owned()).collect();
        store.add_kind(kind);
        Ok(())
    }

    /// Serves a kind whose definition has no status subresource, as old ones.
    pub fn serve_without_status(&self, resource: &str) -> Result<()> {
        let mut store = self.shared.store();
        let mut kind = store.kind_named(resource).with_context(|| format!("{resource} is not served"))?;
        kind.status = false;
        store.add_kind(kind);
        Ok(())
    }

    /// Serves a kind no longer, as when its definition is deleted; its objects go with it.
    pub fn withdraw(&self, resource: &str) {
        self.shared.store().remove_kind(resource);
        self.cut(Cut::End);
    }

    /// Answers the next `times` calls of this sort with a fault.
    pub fn fault(&self, call: Call, fault: Fault, times: usize) {
        self.shared.faults.add(call, fault, times);
    }

    /// Denies a verb on a resource, as RBAC would, until [`KubeApi::heal`].
    pub fn forbid(&self, verb: &str, resource: &str) {
        self.fault(Call::new(verb, resource), Fault::Forbidden, usize::MAX);
    }

    /// From now on the caller has the rights of the roles among these objects, and no others.
    pub fn grant(&self, objects: &[Value]) {
        *self.shared.rights() = Some(rights::Rights::of(objects));
    }

    /// Rights of [`KubeApi::grant`] that were never used.
    #[must_use]
    pub fn unused_rights(&self) -> Vec<String> {
        self.shared.rights().as_ref().map(rights::Rights::unused).unwrap_or_default()
    }

    /// No more faults; who hangs, goes on.
    pub fn heal(&self) {
        self.shared.faults.clear();
        self.shared.store().thaw();
    }

    /// Ends all watches that run.
    pub fn cut(&self, how: Cut) {
        self.shared.store().cut(how);
    }

    /// Forgets all changes until now: who wants to go on from before gets 410.
    pub fn compact(&self) {
        self.shared.store().compact();
    }

    /// Whether a watch that begins at a forgotten version gets 410 as its HTTP status (else as an event).
    pub fn refuse_old_watches(&self, by_status: bool) {
        self.shared.store().gone_by_status = by_status;
    }

    /// From now until [`KubeApi::heal`], lists show what is there now and nothing newer.
    pub fn freeze(&self) {
        self.shared.store().freeze();
    }

    /// Sends bookmarks so often: five a second unless told, once a minute as real servers do to measure without them.
    pub fn bookmark_every(&self, pause: Duration) {
        self.shared.bookmarks.store(pause.as_millis().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How many watches of a resource run.
    #[must_use]
    pub fn watches(&self, resource: &str) -> usize {
        self.shared.store().watches.get(resource).copied().unwrap_or_default()
    }

    /// Makes a token one that a TokenReview accepts.
    pub fn token(&self, token: &str, owner: TokenOwner) {
        self.shared.tokens.add(token, owner);
    }

    /// A token as a kubelet mounts it, for an hour: a TokenReview accepts it, and the keys that are published verify it.
    pub fn issue(&self, owner: TokenOwner) -> Result<String> {
        let token = self.shared.issuer.sign(&owner, Duration::from_secs(3600))?;
        self.token(&token, owner);
        Ok(token)
    }

    /// Who forwards to this port of the pod gets the connections that `dial` makes. To others nothing listens.
    pub fn forward(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
        dial: impl Fn() -> std::io::Result<std::net::TcpStream> + Send + Sync + 'static,
    ) {
        self.shared.forwards.add((namespace.to_owned(), pod.to_owned(), port), Arc::new(dial));
    }

    /// All requests until now.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those that change something; leases are left out, for they are renewed all the time.
    #[must_use]
    pub fn writes(&self) -> Vec<Request> {
        let written = |r: &Request| !matches!(r.verb, "get" | "list" | "watch") && r.resource != "leases";
        self.requests().into_iter().filter(written).collect()
    }

    /// The newest resource version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.shared.store().version()
    }
}

impl Drop for KubeApi {
    fn drop(&mut self) {
        self.shared.faults.clear();
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
