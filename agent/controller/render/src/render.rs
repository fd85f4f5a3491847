//! All objects of a gateway.

use serde_json::Value;
use weir_resources::{Gateway, GatewayClass, Problem};

use crate::names::{self, Names};
use crate::overlay::{Overlay, Overlays};
use crate::{Part, PartKind, account, deployment, guard, scaling, service, strategic};

/// What is the same for all waypoints of a mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The image with `weir-waypoint`; empty: nobody has said which.
    pub image: String,
    /// Where the controller is, as the pods reach it: `https://weir-controller.weir-system.svc:15012`.
    pub control: String,
    /// Id of the cluster.
    pub cluster_id: String,
}

/// A gateway, and what else decides what runs it.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The gateway, of a waypoint's class.
    pub gateway: &'a Gateway,
    /// Its class, if there is an object.
    pub class: Option<&'a GatewayClass>,
    /// What is laid over our objects, in this order: the class's defaults, then the gateway's own.
    pub overlays: &'a [Overlay],
    /// The network that the cluster is in; empty if there is only one.
    pub network: &'a str,
    /// Somebody's HorizontalPodAutoscaler counts the pods.
    pub scaled: bool,
}

/// The objects that run a gateway, in the order in which they are to be applied.
///
/// # Errors
/// What of the gateway, of the settings or of an overlay stands in the way. Nothing is made then: what runs goes on.
pub fn render(input: &Input<'_>, settings: &Settings) -> Result<Vec<Part>, Problem> {
    let gateway = input.gateway;
    if settings.image.is_empty() {
        let message = "is not given to weir-controller, so no waypoint can be deployed; \
                       Gateways with spec.addresses of type Hostname are deployed by hand";
        return Err(Problem::new("--waypoint-image", message));
    }
    let names = Names::of(gateway)?;
    names::check_infrastructure(gateway)?;
    let overlays = Overlays::read(input.overlays)?;
    let mut parts = Vec::new();
    for kind in PartKind::ALL {
        if let Some(ours) = base(kind, input, settings, &names, &overlays)? {
            let object = laid_over(kind, ours, &overlays)?;
            let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            parts.push(Part { kind, name, object });
        }
    }
    let has_own_scaler = parts.iter().any(|part| part.kind == PartKind::HorizontalPodAutoscaler);
    if input.scaled || has_own_scaler {
        // Two who count would count against each other.
        let deployment = parts.iter_mut().filter(|part| part.kind == PartKind::Deployment);
        deployment
            .for_each(|part| drop(part.object["spec"].as_object_mut().map(|spec| spec.remove("replicas"))));
    }
    Ok(parts)
}

/// The object without overlays; `None`: there is to be none.
fn base(
    kind: PartKind,
    input: &Input<'_>,
    settings: &Settings,
    names: &Names,
    overlays: &Overlays,
) -> Result<Option<Value>, Problem> {
    let wanted = || overlays.of(kind).next();
    Ok(match kind {
        PartKind::ServiceAccount if names.foreign_account => match wanted() {
            Some((place, _)) => {
                let message =
                    "lies over an object that is not made: the Gateway names a ServiceAccount of its own";
                return Err(Problem::new(place, message));
            }
            None => None,
        },
        PartKind::ServiceAccount => Some(account::account(input.gateway, names)),
        PartKind::Service => Some(service::service(input, names)?),
        PartKind::Deployment => Some(deployment::deployment(input, settings, names)),
        PartKind::HorizontalPodAutoscaler => wanted().map(|_| scaling::autoscaler(input.gateway, names)),
        PartKind::PodDisruptionBudget => wanted().map(|_| scaling::budget(input.gateway, names)),
    })
}

fn laid_over(kind: PartKind, ours: Value, overlays: &Overlays) -> Result<Value, Problem> {
    let mut object = ours.clone();
    let mut last = None;
    for (place, patch) in overlays.of(kind) {
        let wrong = |problem: Problem| Problem::new(format!("{place}: {}", problem.field), problem.message);
        strategic::merge(&mut object, patch).map_err(wrong)?;
        guard::check(kind, &ours, &object).map_err(wrong)?;
        last = Some(place);
    }
    if let Some(place) = last {
        let wrong = |problem: Problem| Problem::new(format!("{place}: {}", problem.field), problem.message);
        guard::complete(kind, &object).map_err(wrong)?;
    }
    Ok(object)
}
