//! Carrying out a plan.

use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, ValidationDirective};
use serde_json::{Value, json};
use weir_render::PartKind;

use super::live::{Live, print};
use super::plan::{Step, Steps};
use super::state::State;
use super::watching::resource;
use super::{MANAGER, WaypointOutcome};
use crate::kubernetes::error::call;
use crate::kubernetes::{ApiError, Cluster};

pub(super) struct Writer<'a> {
    pub(super) cluster: &'a Cluster,
}

/// It was not carried out, or not to its end; it is tried again.
pub(super) struct Failed {
    /// What to say; `None`: it will be well the next time.
    pub(super) outcome: Option<WaypointOutcome>,
}

impl Writer<'_> {
    /// Applies what is not as it should be, then deletes what is left over. How many were written.
    pub(super) async fn carry_out(&self, mut plan: Steps, state: &mut State) -> Result<usize, Failed> {
        for step in &mut plan.apply {
            self.look(step, &plan.gateway).await?;
        }
        let ends = |error: ApiError| Failed::of(&error, &plan.namespace, plan.overlaid);
        if plan.overlaid {
            for step in &plan.apply {
                self.apply(step, true).await.map_err(ends)?;
            }
        }
        for step in &plan.apply {
            if let Some(count) = step.hand_over {
                self.hand_over(step, count).await.map_err(ends)?;
            }
            let live = self.apply(step, false).await.map_err(ends)?;
            state.applied.insert(step.place.clone(), (print(&step.part.object), live.print));
            state.live.insert(step.place.clone(), live);
        }
        for live in &plan.delete {
            self.delete(live).await.map_err(ends)?;
        }
        Ok(plan.apply.len() + plan.delete.len())
    }

    /// What is there and is not watched is somebody else's.
    async fn look(&self, step: &mut Step, gateway: &str) -> Result<(), Failed> {
        let (namespace, kind, name) = &step.place;
        if step.live.is_none() {
            let what = format!("reading {} {namespace}/{name}", kind.name());
            let found = call(&what, self.api(*kind, namespace).get_opt(name)).await;
            let found = found.map_err(|error| Failed::of(&error, namespace, false))?;
            step.live = found.map(|object| Live::of(*kind, &object));
        }
        match &step.live {
            Some(live) if live.gateway.as_deref() != Some(gateway) => {
                let whose = match &live.gateway {
                    Some(other) => format!("belongs to Gateway {other}"),
                    None => "was not made by weir-controller".to_owned(),
                };
                let message = format!(
                    "{} {namespace}/{name} is there and {whose}; it is left as it is: rename or delete it, or give \
                     the Gateway's another name (annotation gateway.istio.io/name-override)",
                    kind.name()
                );
                Err(Failed { outcome: Some(WaypointOutcome::Foreign(message)) })
            }
            _ => Ok(()),
        }
    }

    async fn apply(&self, step: &Step, dry_run: bool) -> Result<Live, ApiError> {
        let (namespace, kind, name) = &step.place;
        let mut object = step.part.object.clone();
        if let Some(live) = &step.live {
            // That one, and no other of its name.
            object["metadata"]["uid"] = json!(live.uid);
        }
        let params = PatchParams {
            dry_run,
            // What somebody else has made since we looked is not taken from him.
            force: step.live.is_some(),
            field_manager: Some(MANAGER.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
        };
        let what = format!("applying {} {namespace}/{name}", kind.name());
        let applied = self.patch(*kind, namespace, name, &params, &object, &what).await?;
        if step.live.is_none() && is_shared(&applied) {
            if !dry_run {
                self.give_back(step).await?;
            }
            return Err(ApiError::Refused {
                call: what,
                code: 409,
                reason: "Conflict".to_owned(),
                message: "somebody has made it since we looked".to_owned(),
            });
        }
        Ok(Live::of(*kind, &applied))
    }

    /// To apply nothing takes away what we have added, and nothing else.
    async fn give_back(&self, step: &Step) -> Result<(), ApiError> {
        let (namespace, kind, name) = &step.place;
        let object = json!({
            "apiVersion": kind.api_version(), "kind": kind.name(),
            "metadata": {"name": name, "namespace": namespace},
        });
        let what = format!("taking our fields out of {} {namespace}/{name}", kind.name());
        self.patch(*kind, namespace, name, &PatchParams::apply(MANAGER), &object, &what).await.map(drop)
    }

    /// Says as somebody else how many pods there are, so that it stays so when we say nothing.
    async fn hand_over(&self, step: &Step, count: i64) -> Result<(), ApiError> {
        let (namespace, kind, name) = &step.place;
        let object = json!({
            "apiVersion": kind.api_version(), "kind": kind.name(),
            "metadata": {"name": name, "namespace": namespace}, "spec": {"replicas": count},
        });
        let params = PatchParams::apply(HANDED_OVER);
        let what = format!("leaving the replicas of {} {namespace}/{name} to others", kind.name());
        self.patch(*kind, namespace, name, &params, &object, &what).await.map(drop)
    }

    async fn delete(&self, live: &Live) -> Result<(), ApiError> {
        let (namespace, kind, name) = &live.place;
        let only = Preconditions { uid: Some(live.uid.clone()), resource_version: None };
        let params = DeleteParams { preconditions: Some(only), ..DeleteParams::default() };
        let what = format!("deleting {} {namespace}/{name}, which is not wanted any more", kind.name());
        match call(&what, self.api(*kind, namespace).delete(name, &params)).await {
            Err(error) if error.code() == Some(404) => Ok(()),
            done => done.map(drop),
        }
    }

    async fn patch(
        &self,
        kind: PartKind,
        namespace: &str,
        name: &str,
        params: &PatchParams,
        object: &Value,
        what: &str,
    ) -> Result<DynamicObject, ApiError> {
        call(what, self.api(kind, namespace).patch(name, params, &Patch::Apply(object))).await
    }

    fn api(&self, kind: PartKind, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.cluster.client.clone(), namespace, &resource(kind))
    }
}

/// There is somebody else's in it. What we make has no other writer in the moment in which it is made.
fn is_shared(object: &DynamicObject) -> bool {
    let mut managers = object.metadata.managed_fields.iter().flatten();
    managers.any(|entry| entry.manager.as_deref() != Some(MANAGER))
}

impl Failed {
    fn of(error: &ApiError, namespace: &str, overlaid: bool) -> Self {
        let message = error.to_string();
        let outcome = match error.code() {
            // Somebody was faster; the next look sees what he did.
            Some(409) => None,
            // The namespace is going away, or has gone.
            Some(403) if message.contains("is being terminated") => None,
            Some(404) if message.contains(&format!("namespaces \"{namespace}\" not found")) => None,
            Some(400 | 422) if overlaid => Some(WaypointOutcome::Invalid(message)),
            _ => Some(WaypointOutcome::Failed(message)),
        };
        Self { outcome }
    }
}

/// As whom the number of pods is said that nobody is to change.
const HANDED_OVER: &str = "weir.dev/gateway-controller-replicas";
