//! What a policy's status is to say.

use weir_resources::{Condition, Key, Meta};

use super::authorization::{Converted, Place};
use super::finding::{Findings, Severity};
use super::l7::{self, Standing};
use super::peer_authentication::Level;
use super::peers::Peer;
use super::target::Target;
use crate::StatusUpdate;

/// What an object's status says now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told {
    generation: i64,
    /// Of our types only.
    conditions: Vec<Condition>,
}

impl Told {
    pub(super) fn by(meta: &Meta) -> Self {
        let ours = |condition: &&Condition| TYPES.contains(&condition.kind.as_str());
        let conditions = meta.conditions.iter().filter(ours).cloned().collect();
        Self { generation: meta.generation, conditions }
    }

    /// What must be written so that the status says what is wanted; `None` if it does.
    pub(super) fn update(&self, key: &Key, wanted: Vec<Said>) -> Option<StatusUpdate> {
        let conditions: Vec<Condition> =
            wanted.into_iter().map(|said| said.condition(self.generation)).collect();
        let is_wanted = |told: &&Condition| conditions.iter().any(|c| c.kind == told.kind);
        let stale = self.conditions.iter().filter(|told| !is_wanted(told));
        let remove: Vec<String> = stale.map(|told| told.kind.clone()).collect();
        let same = remove.is_empty() && conditions.iter().all(|c| self.conditions.contains(c));
        (!same).then(|| StatusUpdate {
            key: key.clone(),
            generation: self.generation,
            conditions,
            remove,
            addresses: None,
            parents: None,
            gateway: None,
        })
    }
}

/// A condition that is wanted.
pub(super) struct Said {
    kind: &'static str,
    yes: bool,
    reason: &'static str,
    message: String,
}

impl Said {
    fn new(kind: &'static str, yes: bool, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, yes, reason, message: message.into() }
    }

    fn condition(self, generation: i64) -> Condition {
        Condition {
            kind: self.kind.to_owned(),
            status: if self.yes { "True" } else { "False" }.to_owned(),
            reason: self.reason.to_owned(),
            message: self.message,
            observed_generation: generation,
        }
    }
}

/// The conditions of an AuthorizationPolicy.
pub(super) fn of_authorization(policy: &Converted, standing: impl Fn(&Target) -> Standing) -> Vec<Said> {
    let words = words(&policy.findings, &policy.meanwhile);
    let accepted = accepted(&policy.findings, &words);
    let sent = policy.sent.is_some();
    match policy.place {
        Place::Waypoint => {
            let Some(at) = &policy.at_waypoints else { return vec![accepted] };
            let said = |kind, (yes, reason, message)| Said { kind, yes, reason, message };
            vec![
                accepted,
                said("Programmed", l7::status::programmed(at, &standing)),
                said("WaypointAccepted", l7::status::accepted(at, &policy.findings, &words, &standing)),
            ]
        }
        Place::Nodes | Place::Nobody => {
            let plain = sent && !policy.findings.refuse();
            // Istio says yes to a policy of which it sends what it can.
            let in_part = sent && policy.in_part && policy.findings.worst() == Some(Severity::Unsupported);
            let reason = if plain { "Accepted" } else { "UnsupportedValue" };
            vec![
                accepted,
                programmed(sent, &policy.meanwhile),
                Said::new("ZtunnelAccepted", plain || in_part, reason, words),
            ]
        }
    }
}

/// The conditions of a PeerAuthentication. `older`: the one that speaks in its place.
pub(super) fn of_peer(peer: &Peer, older: Option<&str>) -> Vec<Said> {
    let meanwhile = match (&peer.asks.level, peer.asks.findings.refuse()) {
        (_, false) => "",
        (Level::Forced, _) => "mTLS is demanded of all that it may have been meant for",
        (Level::Nobody, _) => "it has no effect",
        _ => "what cannot be read demands mTLS",
    };
    if let (Some(older), false) = (older, peer.asks.findings.refuse()) {
        let message =
            format!("PeerAuthentication {older} is older and for the same workloads; this one has no effect");
        return vec![
            Said::new("Accepted", false, "Conflict", message.clone()),
            Said::new("Programmed", false, "Conflict", message),
        ];
    }
    let words = words(&peer.asks.findings, meanwhile);
    let in_effect = peer.asks.level != Level::Nobody;
    vec![accepted(&peer.asks.findings, &words), programmed(in_effect, "it has no effect")]
}

fn accepted(findings: &Findings, words: &str) -> Said {
    let reason = match findings.worst() {
        Some(Severity::Invalid) => "Invalid",
        Some(Severity::Unsupported) => "UnsupportedValue",
        Some(Severity::Notice) | None => "Accepted",
    };
    Said::new("Accepted", reason == "Accepted", reason, words)
}

fn programmed(sent: bool, why_not: &str) -> Said {
    match sent {
        true => Said::new("Programmed", true, "Programmed", "node proxies of the destinations enforce it"),
        false => Said::new("Programmed", false, "NotEnforced", why_not),
    }
}

fn words(findings: &Findings, meanwhile: &str) -> String {
    let words = findings.words();
    match (words.is_empty(), meanwhile.is_empty()) {
        (true, true) => "it is enforced as it is written".to_owned(),
        (_, true) => words,
        (true, _) => meanwhile.to_owned(),
        _ => format!("{words}. Meanwhile {meanwhile}."),
    }
}

/// Types of conditions that are ours on policies.
const TYPES: [&str; 4] = ["Accepted", "Programmed", "WaypointAccepted", "ZtunnelAccepted"];
