//! The objects, and what happened to them.

mod stamp;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::answer::Failure;
use super::fault::Cut;
use super::kinds::{self, KindDef};
use super::manage::Managers;
pub(crate) use stamp::{complete, now};

/// Where an object is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) group: String,
    pub(crate) plural: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Id {
    pub(crate) fn new(kind: &KindDef, namespace: &str, name: &str) -> Self {
        let namespace = if kind.namespaced { namespace } else { "" };
        Self {
            group: kind.group.clone(),
            plural: kind.plural.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(crate) fn is_of(&self, kind: &KindDef) -> bool {
        self.plural == kind.plural && self.group == kind.group
    }
}

/// One change, as a watch sees it.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) id: Id,
    pub(crate) old: Option<Arc<Value>>,
    /// What it is now; of an object that is gone, its last state.
    pub(crate) new: Arc<Value>,
    pub(crate) gone: bool,
}

pub(crate) type Objects = BTreeMap<Id, Arc<Value>>;

#[derive(Debug)]
pub(crate) struct Store {
    kinds: Vec<KindDef>,
    objects: Objects,
    version: u64,
    history: VecDeque<Change>,
    /// Changes up to this version are forgotten.
    forgotten: u64,
    /// What lists show while they are stale.
    frozen: Option<(u64, Objects)>,
    /// The rest of lists that were asked for in pages, by continue token.
    pub(crate) pages: HashMap<String, (u64, VecDeque<Arc<Value>>)>,
    pub(crate) gone_by_status: bool,
    pub(crate) watches: HashMap<String, usize>,
    pub(crate) managers: Managers,
    /// How often watches were cut, and how the last time.
    cuts: (u64, Cut),
    changed: watch::Sender<()>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            kinds: kinds::built_in(),
            objects: Objects::new(),
            // Like a cluster that has lived a little: small numbers would hide comparisons as text.
            version: 997,
            history: VecDeque::new(),
            forgotten: 997,
            frozen: None,
            pages: HashMap::new(),
            gone_by_status: false,
            watches: HashMap::new(),
            managers: Managers::default(),
            cuts: (0, Cut::End),
            changed: watch::Sender::new(()),
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(crate) fn kinds(&self) -> &[KindDef] {
        &self.kinds
    }

    /// The kind of this plural name; Kubernetes' own first.
    pub(crate) fn kind_named(&self, plural: &str) -> Option<KindDef> {
        self.kinds.iter().find(|kind| kind.plural == plural).cloned()
    }

    pub(crate) fn add_kind(&mut self, kind: KindDef) {
        self.kinds.retain(|k| (&k.group, &k.plural) != (&kind.group, &kind.plural));
        self.kinds.push(kind);
    }

    pub(crate) fn remove_kind(&mut self, plural: &str) {
        let Some(kind) = self.kind_named(plural) else { return };
        let ids: Vec<Id> = self.objects.keys().filter(|id| id.is_of(&kind)).cloned().collect();
        for id in ids {
            self.remove(&id);
        }
        self.kinds.retain(|k| *k != kind);
    }

    pub(crate) fn get(&self, id: &Id) -> Option<&Arc<Value>> {
        self.objects.get(id)
    }

    /// What a list sees: its version and all objects.
    pub(crate) fn listed(&self) -> (u64, &Objects) {
        self.frozen.as_ref().map_or((self.version, &self.objects), |(version, objects)| (*version, objects))
    }

    /// Keeps an object under a new version. Nothing happens if it is the same.
    pub(crate) fn set(&mut self, id: &Id, mut object: Value) -> Arc<Value> {
        let old = self.objects.get(id).cloned();
        if old.as_deref().is_some_and(|old| stamp::same(old, &object)) {
            return old.unwrap_or_default();
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let object = Arc::new(object);
        self.objects.insert(id.clone(), object.clone());
        self.record(id, old, object.clone(), false);
        object
    }

    pub(crate) fn remove(&mut self, id: &Id) -> Option<Arc<Value>> {
        let old = self.objects.remove(id)?;
        self.managers.forget(id);
        self.version += 1;
        let mut last = (*old).clone();
        last["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let last = Arc::new(last);
        self.record(id, Some(old), last.clone(), true);
        if id.group.is_empty() && id.plural == "namespaces" {
            let inside: Vec<Id> = self.objects.keys().filter(|i| i.namespace == id.name).cloned().collect();
            for id in inside {
                self.remove(&id);
            }
        }
        self.collect_orphans(&last["metadata"]["uid"]);
        Some(last)
    }

    /// As the garbage collector: whose owners are all gone, goes.
    fn collect_orphans(&mut self, uid: &Value) {
        let lives = |owner: &Value| self.objects.values().any(|o| o["metadata"]["uid"] == owner["uid"]);
        let is_orphan = |object: &Value| match object["metadata"]["ownerReferences"].as_array() {
            Some(owners) => owners.iter().any(|owner| owner["uid"] == *uid) && !owners.iter().any(lives),
            None => false,
        };
        let orphans: Vec<Id> =
            self.objects.iter().filter(|(_, o)| is_orphan(o)).map(|(id, _)| id.clone()).collect();
        for id in orphans {
            self.remove(&id);
        }
    }

    /// Makes an object what is given, by nobody's rules.
    pub(crate) fn put(&mut self, mut object: Value) -> Result<Value, Failure> {
        let kind = self.kind_of(&object)?;
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default").to_owned();
        if name.is_empty() {
            return Err(Failure::invalid("metadata.name is missing"));
        }
        if kind.namespaced {
            object["metadata"]["namespace"] = json!(namespace);
            self.ensure_namespace(&namespace);
        }
        let id = Id::new(&kind, &namespace, &name);
        let old = self.objects.get(&id).cloned();
        stamp::complete(&kind, old.as_deref(), &mut object);
        if let Some(mut owners) = self.managers.known(&id) {
            owners.update(&kind.plural, TEST, old.as_deref(), &object);
            object["metadata"]["managedFields"] = owners.shown(&kind.preferred());
            self.managers.set(&id, owners);
        }
        if kind.plural == "customresourcedefinitions" {
            self.add_kind(super::crd::defined(&object)?);
        }
        Ok((*self.set(&id, object)).clone())
    }

    /// The kind of an object, by its `apiVersion` and `kind`.
    pub(crate) fn kind_of(&self, object: &Value) -> Result<KindDef, Failure> {
        let (Some(api), Some(kind)) = (object["apiVersion"].as_str(), object["kind"].as_str()) else {
            return Err(Failure::bad_request("Object 'Kind' is missing"));
        };
        let served = |k: &&KindDef| k.kind == kind && k.versions.iter().any(|v| k.api_version(v) == api);
        let found = self.kinds.iter().find(served).cloned();
        found.ok_or_else(|| Failure::new(404, "NotFound", format!("no kind {kind} in {api}")))
    }

    pub(crate) fn cut(&mut self, how: Cut) {
        self.cuts = (self.cuts.0 + 1, how);
        self.changed.send_replace(());
    }

    pub(crate) fn cuts(&self) -> (u64, Cut) {
        self.cuts
    }

    pub(crate) fn compact(&mut self) {
        self.forgotten = self.version;
        self.history.clear();
        self.pages.clear();
    }

    pub(crate) fn is_forgotten(&self, version: u64) -> bool {
        version < self.forgotten
    }

    pub(crate) fn since(&self, version: u64) -> impl Iterator<Item = &Change> {
        let first = self.history.partition_point(|change| change.version <= version);
        self.history.range(first..)
    }

    pub(crate) fn freeze(&mut self) {
        self.frozen = Some((self.version, self.objects.clone()));
    }

    pub(crate) fn thaw(&mut self) {
        self.frozen = None;
    }

    fn ensure_namespace(&mut self, name: &str) {
        let Some(kind) = self.kind_named("namespaces") else { return };
        let id = Id::new(&kind, "", name);
        if !self.objects.contains_key(&id) {
            let mut namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            stamp::complete(&kind, None, &mut namespace);
            self.set(&id, namespace);
        }
    }

    fn record(&mut self, id: &Id, old: Option<Arc<Value>>, new: Arc<Value>, gone: bool) {
        self.history.push_back(Change { version: self.version, id: id.clone(), old, new, gone });
        self.changed.send_replace(());
    }
}

/// As whom a test writes, in managed fields.
const TEST: &str = "test";
