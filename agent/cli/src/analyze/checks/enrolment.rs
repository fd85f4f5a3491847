//! Who is to be in the mesh, and cannot be.

use crate::analyze::Finding;
use crate::analyze::world::{MODE, World};
use crate::objects::Item;

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for item in world.objects.of_kind("Namespace") {
        mode(item, &mut findings);
        waypoint(world, item, &mut findings);
        if item.meta("labels", "istio-injection") == Some("enabled") {
            let message = format!("label istio-injection asks for sidecars; {MODE}=ambient asks for Weir");
            findings.push(Finding::new("IST0123", item, message));
        }
    }
    for pod in world.pods() {
        mode(pod, &mut findings);
        if !world.is_enrolled(pod) {
            continue;
        }
        if pod.object["spec"]["hostNetwork"] == true {
            findings.push(Finding::new(
                "WEIR0021",
                pod,
                "it is on the node's network: its traffic is not captured",
            ));
        }
        if pod.meta("annotations", "sidecar.istio.io/status").is_some() {
            findings.push(Finding::new(
                "WEIR0022",
                pod,
                "it has a sidecar, which speaks for it: it is not captured",
            ));
        }
    }
    findings
}

fn mode(item: &Item, findings: &mut Vec<Finding>) {
    if let Some(mode) = item.meta("labels", MODE).filter(|mode| !matches!(*mode, "ambient" | "none")) {
        let message = format!("label {MODE}: {mode:?} is neither ambient nor none; it enrols nobody");
        findings.push(Finding::new("WEIR0023", item, message));
    }
}

/// Of services the index says it; a namespace has no status for it.
fn waypoint(world: &World<'_>, item: &Item, findings: &mut Vec<Finding>) {
    let Some(name) = item.meta("labels", "istio.io/use-waypoint").filter(|name| *name != "none") else {
        return;
    };
    let namespace = item.meta("labels", "istio.io/use-waypoint-namespace").unwrap_or(item.name());
    let is_it = |gateway: &Item| gateway.name() == name && gateway.namespace() == namespace;
    if !world.objects.of_kind("Gateway").any(is_it) {
        let message = format!(
            "label istio.io/use-waypoint: there is no Gateway {namespace}/{name}: traffic to its services is refused; \
             `weir waypoint apply -n {namespace} --name {name}` makes one"
        );
        findings.push(Finding::new("IST0101", item, message));
    }
}
