//! Reading and writing objects by the API's rules.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, Failure, json_answer};
use super::kinds::KindDef;
use super::manage::Owners;
use super::patch;
use super::route::{ResourcePath, Route};
use super::selector::Selector;
use super::store::{Id, Store, complete, now};

/// A call on objects of a kind.
pub(crate) struct Rest<'a> {
    pub(crate) route: &'a Route,
    pub(crate) path: &'a ResourcePath,
    pub(crate) kind: &'a KindDef,
    pub(crate) content_type: &'a str,
    pub(crate) body: &'a Bytes,
}

impl Rest<'_> {
    pub(crate) fn call(&self, store: &mut Store) -> Result<Answer, Failure> {
        match self.route.verb {
            "list" => self.list(store),
            "get" => self.current(store).map(|object| self.show(200, &object)),
            "create" => self.create(store),
            "update" => self.update(store),
            "patch" => self.patch(store),
            "delete" => self.delete(store),
            "deletecollection" => self.delete_all(store),
            verb => Err(Failure::new(405, "MethodNotAllowed", format!("{verb} is not supported"))),
        }
    }

    fn name(&self) -> &str {
        self.path.name.as_deref().unwrap_or_default()
    }

    fn namespace(&self) -> &str {
        self.path.namespace.as_deref().unwrap_or_default()
    }

    fn id(&self) -> Id {
        Id::new(self.kind, self.namespace(), self.name())
    }

    fn current(&self, store: &Store) -> Result<Arc<Value>, Failure> {
        let found = store.get(&self.id()).cloned();
        found.ok_or_else(|| Failure::not_found(&self.kind.plural, self.name()))
    }

    fn is_status(&self) -> bool {
        self.path.subresource.as_deref() == Some("status")
    }

    /// The object as it looks in the version that was asked for.
    fn show(&self, code: u16, object: &Value) -> Answer {
        json_answer(code, &shown(self.kind, &self.path.version, object))
    }

    fn list(&self, store: &mut Store) -> Result<Answer, Failure> {
        let token = self.route.text("continue");
        let (version, mut rest) = if token.is_empty() {
            let selector = Selector::of(self.route, self.path.namespace.as_deref());
            let (version, objects) = store.listed();
            let here = objects.iter().filter(|(id, object)| id.is_of(self.kind) && selector.takes(object));
            (version, here.map(|(_, object)| object.clone()).collect::<VecDeque<_>>())
        } else {
            store.pages.remove(token).ok_or_else(|| {
                Failure::new(
                    410,
                    "Expired",
                    "The provided continue parameter is too old to display a consistent list result.",
                )
            })?
        };
        let limit = self.route.text("limit").parse().ok().filter(|&n| n > 0).unwrap_or(usize::MAX);
        let page: Vec<Value> = rest
            .drain(..limit.min(rest.len()))
            .map(|object| {
                let mut object = shown(self.kind, &self.path.version, &object);
                // In a list of Kubernetes' own kinds the items do not say what they are.
                if let (false, Some(fields)) = (self.kind.custom, object.as_object_mut()) {
                    fields.remove("apiVersion");
                    fields.remove("kind");
                }
                object
            })
            .collect();
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if !rest.is_empty() {
            let token = format!("page-{}-{}-{}", self.kind.plural, version, rest.len());
            metadata["continue"] = json!(token);
            metadata["remainingItemCount"] = json!(rest.len());
            store.pages.insert(token, (version, rest));
        }
        let list = json!({
            "kind": format!("{}List", self.kind.kind), "apiVersion": self.kind.api_version(&self.path.version),
            "metadata": metadata, "items": page,
        });
        Ok(json_answer(200, &list))
    }

    fn create(&self, store: &mut Store) -> Result<Answer, Failure> {
        let mut object = self.body_object()?;
        if let Some(prefix) = object["metadata"]["generateName"].as_str()
            && object["metadata"]["name"].is_null()
        {
            object["metadata"]["name"] = json!(format!("{prefix}{:05x}", store.version()));
        }
        let Some(name) = object["metadata"]["name"].as_str().map(str::to_owned) else {
            return Err(Failure::invalid("metadata.name: Required value: name or generateName is required"));
        };
        let id = Id::new(self.kind, self.namespace(), &name);
        self.check_place(store, &mut object)?;
        if store.get(&id).is_some() {
            let message = format!("{} {name:?} already exists", self.kind.plural);
            return Err(Failure::new(409, "AlreadyExists", message));
        }
        if let (true, Some(fields)) = (self.kind.status, object.as_object_mut()) {
            fields.remove("status");
        }
        let object = self.finish(store, &id, None, object, self.writer())?;
        Ok(self.show(201, &object))
    }

    fn update(&self, store: &mut Store) -> Result<Answer, Failure> {
        let old = self.current(store)?;
        let object = self.body_object()?;
        let unconditional = !self.kind.custom && self.kind.plural != "leases";
        if object["metadata"]["resourceVersion"].as_str().is_none_or(str::is_empty) && !unconditional {
            return Err(Failure::invalid(
                "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update",
            ));
        }
        let object = self.replace(store, &old, object, self.writer())?;
        Ok(self.show(200, &object))
    }

    fn patch(&self, store: &mut Store) -> Result<Answer, Failure> {
        let content_type = self.content_type.split(';').next().unwrap_or_default().trim();
        if content_type == "application/apply-patch+yaml" {
            return self.apply(store);
        }
        let old = self.current(store)?;
        let wanted = self.body_json()?;
        let mut object = (*old).clone();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        match content_type {
            "application/merge-patch+json" => patch::merge(&mut object, &wanted),
            "application/strategic-merge-patch+json" if !self.kind.custom => {
                patch::merge_lists(&mut object, &wanted, "", &self.kind.plural);
            }
            other => {
                let message = format!("the body of the request was in an unknown format - {other:?}");
                return Err(Failure::new(415, "UnsupportedMediaType", message));
            }
        }
        let object = self.replace(store, &old, object, self.writer())?;
        Ok(self.show(200, &object))
    }

    fn apply(&self, store: &mut Store) -> Result<Answer, Failure> {
        let manager = self.route.text("fieldManager");
        if manager.is_empty() {
            return Err(Failure::bad_request(
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
            ));
        }
        let mut wanted = self.body_object()?;
        if wanted["metadata"].get("managedFields").is_some_and(|fields| !fields.is_null()) {
            return Err(Failure::bad_request("metadata.managedFields must be nil"));
        }
        let id = self.id();
        let old = store.get(&id).cloned();
        if old.is_none() {
            if self.path.subresource.is_some() {
                return Err(Failure::not_found(&self.kind.plural, self.name()));
            }
            wanted["metadata"]["name"] = json!(self.name());
            self.check_place(store, &mut wanted)?;
        }
        let mut live = old.as_deref().cloned().unwrap_or_else(|| json!({}));
        if let Some(metadata) = live["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        let mut owners = store.managers.of(&id, old.as_deref());
        let plural = &self.kind.plural;
        let merged = owners.apply(plural, manager, &live, &wanted, self.route.flag("force"))?;
        let by = Writer::Applier(owners);
        match old {
            Some(old) => Ok(self.show(200, &*self.replace(store, &old, merged, by)?)),
            None => Ok(self.show(201, &*self.finish(store, &id, None, merged, by)?)),
        }
    }

    /// Who calls, when he does not apply.
    fn writer(&self) -> Writer {
        let given = self.route.text("fieldManager");
        Writer::Updater(if given.is_empty() { "unknown" } else { given }.to_owned())
    }

    /// Puts `object` in the place of `old`, as far as the call may.
    fn replace(
        &self,
        store: &mut Store,
        old: &Arc<Value>,
        mut object: Value,
        by: Writer,
    ) -> Result<Arc<Value>, Failure> {
        for field in ["resourceVersion", "uid"] {
            let given = object["metadata"][field].as_str().filter(|text| !text.is_empty());
            if given.is_some_and(|given| old["metadata"][field] != given) {
                return Err(Failure::conflict(&self.kind.plural, self.name()));
            }
        }
        if self.is_status() {
            let (status, annotations) = (object["status"].take(), object["metadata"]["annotations"].take());
            object = (**old).clone();
            object["status"] = status;
            // Of a pod only the spec and its owners are out of reach there.
            if self.kind.plural == "pods" && annotations.is_object() {
                object["metadata"]["annotations"] = annotations;
            }
        } else if self.kind.status {
            match old.get("status") {
                Some(status) => object["status"] = status.clone(),
                None => drop(object.as_object_mut().map(|fields| fields.remove("status"))),
            }
        }
        for field in ["name", "namespace", "deletionTimestamp"] {
            if let Some(value) = old["metadata"].get(field) {
                object["metadata"][field] = value.clone();
            }
        }
        self.finish(store, &self.id(), Some(old), object, by)
    }

    fn finish(
        &self,
        store: &mut Store,
        id: &Id,
        old: Option<&Value>,
        mut object: Value,
        by: Writer,
    ) -> Result<Arc<Value>, Failure> {
        check(self.kind, &object)?;
        complete(self.kind, old, &mut object);
        let owners = match by {
            Writer::Applier(owners) => Some(owners),
            Writer::Updater(name) => store.managers.known(id).map(|mut owners| {
                owners.update(&self.kind.plural, &name, old, &object);
                owners
            }),
        };
        if let Some(owners) = &owners {
            object["metadata"]["managedFields"] = owners.shown(&self.kind.api_version(&self.path.version));
        }
        if self.kind.plural == "customresourcedefinitions" {
            store.add_kind(super::crd::defined(&object)?);
        }
        if self.route.text("dryRun") == "All" {
            return Ok(Arc::new(object));
        }
        let no_finalizers = object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty);
        if no_finalizers && object["metadata"].get("deletionTimestamp").is_some() {
            return Ok(store.remove(id).unwrap_or_default());
        }
        if let Some(owners) = owners {
            store.managers.set(id, owners);
        }
        Ok(store.set(id, object))
    }

    fn delete(&self, store: &mut Store) -> Result<Answer, Failure> {
        let object = self.current(store)?;
        let options: Value = serde_json::from_slice(self.body).unwrap_or_default();
        for field in ["uid", "resourceVersion"] {
            let wanted = &options["preconditions"][field];
            if !wanted.is_null() && *wanted != object["metadata"][field] {
                return Err(Failure::conflict(&self.kind.plural, self.name()));
            }
        }
        let id = self.id();
        if object["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty()) {
            let mut marked = (*object).clone();
            marked["metadata"]["deletionTimestamp"] = json!(now());
            return Ok(self.show(200, &store.set(&id, marked)));
        }
        if self.kind.plural == "customresourcedefinitions" {
            let plural = object["spec"]["names"]["plural"].as_str().unwrap_or_default();
            store.remove_kind(plural);
        }
        store.remove(&id);
        Ok(json_answer(
            200,
            &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}),
        ))
    }

    fn delete_all(&self, store: &mut Store) -> Result<Answer, Failure> {
        let selector = Selector::of(self.route, self.path.namespace.as_deref());
        let (_, objects) = store.listed();
        let here = objects.iter().filter(|(id, object)| id.is_of(self.kind) && selector.takes(object));
        let ids: Vec<Id> = here.map(|(id, _)| id.clone()).collect();
        for id in ids {
            store.remove(&id);
        }
        Ok(json_answer(
            200,
            &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}),
        ))
    }

    /// Namespace of the path and of the body must be one, and be there.
    fn check_place(&self, store: &Store, object: &mut Value) -> Result<(), Failure> {
        if !self.kind.namespaced {
            return Ok(());
        }
        let namespace = self.namespace();
        let given = object["metadata"]["namespace"].as_str();
        if given.is_some_and(|given| given != namespace) {
            return Err(Failure::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        let namespaces = KindDef { namespaced: false, ..KindDef::new("", "v1", "Namespace", "namespaces") };
        if store.get(&Id::new(&namespaces, "", namespace)).is_none() {
            return Err(Failure::not_found("namespaces", namespace));
        }
        object["metadata"]["namespace"] = json!(namespace);
        Ok(())
    }

    fn body_json(&self) -> Result<Value, Failure> {
        if self.content_type.contains("protobuf") {
            return Err(Failure::new(415, "UnsupportedMediaType", "protobuf is not read here"));
        }
        let text = String::from_utf8_lossy(self.body);
        serde_json::from_str(&text)
            .or_else(|_| serde_saphyr::from_str(&text))
            .map_err(|error| Failure::bad_request(format!("the body cannot be read: {error}")))
    }

    /// A body that says what it is.
    fn body_object(&self) -> Result<Value, Failure> {
        let object = self.body_json()?;
        if object["kind"].as_str().is_none_or(str::is_empty) {
            return Err(Failure::bad_request("Object 'Kind' is missing"));
        }
        let wanted = self.kind.api_version(&self.path.version);
        if object["apiVersion"] != wanted.as_str() || object["kind"] != self.kind.kind.as_str() {
            let given = format!("{}, Kind={}", object["apiVersion"], object["kind"]);
            let message = format!("{given} does not match the expected {wanted}, Kind={}", self.kind.kind);
            return Err(Failure::bad_request(message));
        }
        let name = object["metadata"]["name"].as_str();
        if self.path.name.is_some() && name.is_some_and(|name| name != self.name()) {
            return Err(Failure::bad_request("the name of the object does not match the name on the URL"));
        }
        Ok(object)
    }
}

/// Who owns what is written.
enum Writer {
    /// Whoever applied, with the owners after that.
    Applier(Owners),
    /// Whoever wrote in another way, by his name.
    Updater(String),
}

/// What a schema would refuse, as far as somebody here relies on it.
fn check(kind: &KindDef, object: &Value) -> Result<(), Failure> {
    if kind.plural == "deployments" {
        let containers = object.pointer("/spec/template/spec/containers").and_then(Value::as_array);
        for (i, container) in containers.into_iter().flatten().enumerate() {
            if container["image"].as_str().is_none_or(str::is_empty) {
                let field = format!("spec.template.spec.containers[{i}].image");
                return Err(Failure::invalid(format!("{field}: Required value")));
            }
        }
    }
    Ok(())
}

/// An object in one of its versions.
pub(crate) fn shown(kind: &KindDef, version: &str, object: &Value) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = json!(kind.api_version(version));
    object
}
