//! The class of waypoints, and the version of the API that defines it.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, PartialObjectMeta, TypeMeta};
use serde_json::json;
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;
use weir_resources::{CONTROLLER_NAME, Kind, WAYPOINT_CLASS};

use super::{MANAGER, WaypointReport};
use crate::kubernetes::Cluster;
use crate::kubernetes::backoff::{Backoff, spread};
use crate::kubernetes::error::call;

/// Makes the class, once, if it is not there; whoever changes or deletes it later may. Then looks for the API's version, now
/// and then.
pub(super) async fn keep(cluster: Cluster, reports: Sender<WaypointReport>) {
    let mut backoff = Backoff::default();
    while !make(&cluster).await {
        sleep(backoff.next(spread())).await;
    }
    let mut told = None;
    loop {
        let version = version(&cluster).await;
        if told.as_ref() != Some(&version) {
            if reports.send(WaypointReport::Api(version.clone())).await.is_err() {
                return;
            }
            told = Some(version);
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Whether it is there now. While the API does not serve the kind, it is not.
async fn make(cluster: &Cluster) -> bool {
    let kind = Kind::GatewayClass;
    let resource = ApiResource {
        group: kind.group().to_owned(),
        version: "v1".to_owned(),
        api_version: format!("{}/v1", kind.group()),
        kind: kind.name().to_owned(),
        plural: kind.plural().to_owned(),
    };
    let api: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &resource);
    let mut class = DynamicObject::new(WAYPOINT_CLASS, &resource);
    class.types = Some(TypeMeta { api_version: resource.api_version.clone(), kind: resource.kind.clone() });
    class.metadata.labels = Some([("app.kubernetes.io/part-of".to_owned(), "weir".to_owned())].into());
    class.data = json!({"spec": {
        "controllerName": CONTROLLER_NAME,
        "description": "Waypoints of Weir: L7 routes and policies for services that name one (istio.io/use-waypoint).",
    }});
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    match call("making the class of waypoints", api.create(&params, &class)).await {
        Ok(_) => true,
        Err(error) if error.is_conflict() => true,
        Err(error) => {
            tracing::debug!("there is no class {WAYPOINT_CLASS} yet: {error}");
            false
        }
    }
}

async fn version(cluster: &Cluster) -> Option<String> {
    let api: Api<PartialObjectMeta<CustomResourceDefinition>> = Api::all(cluster.client.clone());
    let found = call("reading the definition of GatewayClass", api.get_opt(DEFINITION)).await.ok()??;
    found.metadata.annotations?.remove(VERSION)
}

const DEFINITION: &str = "gatewayclasses.gateway.networking.k8s.io";
const VERSION: &str = "gateway.networking.k8s.io/bundle-version";
const LOOK_AGAIN: Duration = Duration::from_secs(300);
