//! What a waypoint's listeners are told.

use serde_json::{Value, json};
use weir_resources::{Condition, Gateway, Listener};

use crate::condition::{ACCEPTED, PROGRAMMED};
use crate::waypoint::is_hbone;

/// How a listener stands.
pub(super) enum Verdict {
    /// Tunnels come in by it.
    Served,
    /// Why.
    Unsupported(String),
    /// Another of the gateway's wants the same: reason and message.
    Conflicted(&'static str, String),
}

/// How each listener stands.
pub(super) fn verdicts(gateway: &Gateway) -> Vec<(&Listener, Verdict)> {
    let all = &gateway.listeners;
    all.iter().enumerate().map(|(at, listener)| (listener, verdict(all, at, listener))).collect()
}

/// Whether tunnels come in by one of them.
pub(crate) fn is_served(gateway: &Gateway) -> bool {
    verdicts(gateway).iter().any(|(_, verdict)| matches!(verdict, Verdict::Served))
}

fn verdict(all: &[Listener], at: usize, listener: &Listener) -> Verdict {
    let others = all.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, other)| other);
    if let Some(other) = others.into_iter().find(|other| other.port == listener.port) {
        let same = other.protocol.eq_ignore_ascii_case(&listener.protocol);
        let reason = if same { "HostnameConflict" } else { "ProtocolConflict" };
        return Verdict::Conflicted(reason, format!("listener {} has port {}, too", other.name, other.port));
    }
    if is_hbone(listener) {
        return Verdict::Served;
    }
    let protocol = if listener.protocol.is_empty() { "none" } else { &listener.protocol };
    Verdict::Unsupported(format!(
        "a waypoint has one listener, with protocol HBONE and port 15008; this is {protocol} and {}",
        listener.port
    ))
}

/// An entry of `status.listeners`: what is not its conditions, and those.
pub(super) fn told(
    listener: &Listener,
    verdict: &Verdict,
    programmed: bool,
    generation: i64,
) -> (Value, Vec<Condition>) {
    let is = |kind: &str, status: bool, reason: &str, message: &str| Condition {
        kind: kind.to_owned(),
        status: if status { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: generation,
    };
    let refs = match listener.kinds.first() {
        None => is(RESOLVED_REFS, true, RESOLVED_REFS, ""),
        Some(_) => {
            let message =
                "allowedRoutes.kinds: a waypoint takes no routes of its own; attach them to the Service";
            is(RESOLVED_REFS, false, "InvalidRouteKinds", message)
        }
    };
    let none = |conflicted: Condition, accepted: Condition| {
        vec![accepted, conflicted, is(PROGRAMMED, false, "Invalid", "it is not served"), refs.clone()]
    };
    let conditions = match verdict {
        Verdict::Served => vec![
            is(ACCEPTED, true, "Accepted", ""),
            is(CONFLICTED, false, "NoConflicts", ""),
            match programmed {
                true => is(PROGRAMMED, true, PROGRAMMED, ""),
                false => is(PROGRAMMED, false, "Pending", "see the Gateway's condition Programmed"),
            },
            refs,
        ],
        Verdict::Unsupported(message) => none(
            is(CONFLICTED, false, "NoConflicts", ""),
            is(ACCEPTED, false, "UnsupportedProtocol", message),
        ),
        Verdict::Conflicted(reason, message) => {
            none(is(CONFLICTED, true, reason, message), is(ACCEPTED, false, "PortUnavailable", message))
        }
    };
    // Routes are attached to services; none is ever attached to a waypoint itself.
    (json!({"name": *listener.name, "attachedRoutes": 0, "supportedKinds": []}), conditions)
}

const CONFLICTED: &str = "Conflicted";
pub(super) const RESOLVED_REFS: &str = "ResolvedRefs";
