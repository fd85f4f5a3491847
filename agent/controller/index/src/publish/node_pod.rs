//! A pod as its own node is told of it.

use weir_proto::node as proto;
use weir_resources::{Condition, Pod};

use super::pod::workload;
use crate::enrolment::{Enrolment, enrolment};
use crate::world::World;

/// What its node is told of a pod.
pub(crate) fn node_pod(world: &World, pod: &Pod) -> proto::Pod {
    let meta = &pod.meta;
    let (wish, reason, message) = match enrolment(pod, world.namespaces.get(&meta.namespace), &world.config) {
        Enrolment::Leave => (proto::Wish::Leave, "", String::new()),
        Enrolment::Enrol => (proto::Wish::Enrol, "", String::new()),
        Enrolment::Refuse(reason, message) => (proto::Wish::Refuse, reason, message),
    };
    // Its node must know in whose name it speaks before discovery has anything to say of it.
    let early = wish == proto::Wish::Enrol && pod.addresses.is_empty();
    let captured = meta.conditions.iter().find(|condition| condition.kind == CAPTURED);
    // We write the annotation and the condition at once. Without the condition it is another mesh's, who captures the pod,
    // and is left alone.
    let is_ours = wish != proto::Wish::Leave || captured.is_some();
    proto::Pod {
        namespace: meta.namespace.to_string(),
        name: meta.name.to_string(),
        uid: meta.uid.to_string(),
        node_uid: meta.annotations.get("kubernetes.io/config.hash").unwrap_or_default().to_owned(),
        service_account: pod.service_account.to_string(),
        addresses: pod.addresses.iter().map(|ip| super::bytes(*ip)).collect(),
        wish: wish.into(),
        reason: reason.to_owned(),
        message,
        probe_ports: pod.probe_ports.iter().map(|port| u32::from(*port)).collect(),
        workload: early.then(|| workload(world, pod).0),
        announced: is_ours && meta.annotations.get("ambient.istio.io/redirection") == Some("enabled"),
        captured: captured.map(said),
    }
}

fn said(condition: &Condition) -> proto::Captured {
    let Condition { status, reason, message, .. } = condition;
    proto::Captured { is: status == "True", reason: reason.clone(), message: message.clone() }
}

/// The condition of a pod.
const CAPTURED: &str = "weir.dev/Captured";
