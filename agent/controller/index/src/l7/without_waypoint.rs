//! What the author of a DestinationRule is told of services that have no waypoint: what node agents enforce, and what nobody does.

use weir_routing::{DestinationRule, Effect, Problem, Reason, Remark, Shares};

use super::bound::CLIENTS;
use super::view::View;

/// What is to be told.
#[derive(Default)]
pub(super) struct WithoutWaypoint {
    pub(super) remarks: Vec<Remark>,
    /// Why a waypoint is missing, if it is.
    pub(super) missing: Option<String>,
}

impl View<'_> {
    pub(super) fn without_waypoint(&self, rule: &DestinationRule) -> WithoutWaypoint {
        let mesh = &self.scene.world.routings.mesh;
        let (host, shares) = (rule.host(mesh), rule.shares());
        if host.starts_with('*') {
            let remarks = wide(&shares).map(|said| remark(rule, Reason::Notice, said));
            return WithoutWaypoint { remarks: remarks.into_iter().collect(), missing: None };
        }
        let name = self.scene.world.claims.seen_from(&host, self.reader);
        let remarks = name.as_ref().map(|name| self.of_agents(rule, &shares, name)).unwrap_or_default();
        let so = match shares.waypoint.as_slice() {
            _ if name.is_none() => Some(format!("{CLIENTS} this")),
            [] => None,
            fields => Some(format!("{CLIENTS} {}", fields.join(", "))),
        };
        WithoutWaypoint { remarks, missing: self.unbound(&[host], so.as_deref()) }
    }

    fn of_agents(&self, rule: &DestinationRule, shares: &Shares, name: &str) -> Vec<Remark> {
        let Some(found) = self.connections(name) else { return Vec::new() };
        let about = |remark: &Remark| remark.object == *rule.object();
        let mut remarks: Vec<Remark> = found.remarks.into_iter().filter(about).collect();
        let host = name.split_once('/').map_or(name, |(_, host)| host);
        if shares.agents.is_empty() {
            return remarks;
        }
        if found.deciding.contains(rule.object()) {
            let clients = self.clients(rule, name);
            let said = format!("{host} has no waypoint: {}{clients}", enforced(shares));
            remarks.push(remark(rule, Reason::Notice, said));
        } else if remarks.is_empty() {
            let others: Vec<String> = found.deciding.iter().map(ToString::to_string).collect();
            let mut said = format!("holds for no client of {host}");
            if !others.is_empty() {
                said.push_str(&format!(", where this is said by {}", others.join(", ")));
            }
            remarks.push(remark(rule, Reason::Overruled, said));
        }
        remarks
    }

    /// Whose agents follow it, if not everybody's.
    fn clients(&self, rule: &DestinationRule, name: &str) -> String {
        let own = &*rule.object().namespace;
        let root = &*self.scene.world.routings.mesh.root_namespace;
        match name.split_once('/') {
            Some((namespace, _)) if namespace != own && root != own => format!(", for clients of {own}"),
            _ => String::new(),
        }
    }
}

fn wide(shares: &Shares) -> Option<String> {
    let mut said = Vec::new();
    if !shares.agents.is_empty() {
        said.push(enforced(shares));
    }
    if !shares.waypoint.is_empty() {
        said.push(format!("{CLIENTS} {}", shares.waypoint.join(", ")));
    }
    (!said.is_empty()).then(|| format!("where a service has no waypoint, {}", said.join(", and ")))
}

fn enforced(shares: &Shares) -> String {
    let failures = shares.agents.iter().any(|field| field.ends_with("outlierDetection"));
    let how = if failures { ", which see connections that cannot be made and no responses" } else { "" };
    format!("{} is enforced by the node agents{how}", shares.agents.join(", "))
}

fn remark(rule: &DestinationRule, reason: Reason, message: String) -> Remark {
    let effect = if reason == Reason::Notice { Effect::Notice } else { Effect::Ignored };
    let problem = Problem { field: "spec.trafficPolicy".to_owned(), message, reason, effect };
    Remark { object: rule.object().clone(), problem }
}
