//! Whether there is a waypoint where a resource speaks of requests: without one nobody hears it.

use serde_json::Value;
use weir_resources::Condition;
use weir_routing::Lookup;

use super::unit::Dep;
use super::view::View;

impl View<'_> {
    /// What to tell the author of a resource about these hosts, and what follows (`so`; `None`: nothing, where no waypoint was asked
    /// for). `None`: each of them has a waypoint, or there is no telling.
    pub(super) fn unbound(&self, hosts: &[String], so: Option<&str>) -> Option<String> {
        let whole = hosts.iter().filter(|host| !host.starts_with('*'));
        let said: Vec<String> = whole.filter_map(|host| self.unbound_host(host, so)).collect();
        (!said.is_empty()).then(|| format!("{}{HOW}", said.join("; ")))
    }

    fn unbound_host(&self, host: &str, so: Option<&str>) -> Option<String> {
        self.ask(Dep::Host(host.into()));
        let world = self.scene.world;
        let Some(name) = world.claims.seen_from(host, self.reader) else {
            return so.map(|so| format!("{host}: there is no such service, and {so}"));
        };
        let (subject, _) = world.service_subject(&name)?;
        if !world.servers(&subject).is_empty() {
            return None;
        }
        let why = world.binding(&subject).outcome.filter(|(bound, ..)| !bound).map(|(.., why)| why);
        match why {
            Some(why) => Some(format!("{host}: {why}")),
            None => so.map(|so| format!("{host} has no waypoint, and {so}")),
        }
    }

    /// The hosts of a route's parent, as the route writes it.
    pub(super) fn hosts_of_parent(&self, parent: &Value) -> Vec<String> {
        let text = |field: &str| parent[field].as_str();
        let namespace = text("namespace").unwrap_or(self.reader);
        let name = text("name").unwrap_or_default();
        match (text("group"), text("kind")) {
            (Some("" | "core"), Some("Service")) => {
                vec![self.scene.world.routings.mesh.service_host(namespace, name)]
            }
            (Some("networking.istio.io"), Some("ServiceEntry")) => {
                self.service_entry(namespace, name).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }
}

/// A condition that is only there when something is missing.
pub(super) fn missing(kind: &str, status: &str, message: String, generation: i64) -> Condition {
    Condition {
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason: NO_WAYPOINT.to_owned(),
        message,
        observed_generation: generation,
    }
}

/// What follows, for routes of any kind.
pub(super) const REQUESTS: &str = "its requests do not follow this";
/// And for DestinationRules, before what is followed.
pub(super) const CLIENTS: &str = "only waypoints of others that send to it follow";
/// Of routes, on each parent.
pub(super) const RESOLVED_WAYPOINTS: &str = "ResolvedWaypoints";
const NO_WAYPOINT: &str = "NoWaypoint";
const HOW: &str = "; label the Service, or its namespace, istio.io/use-waypoint=NAME, where NAME is a Gateway of class \
                   weir-waypoint";
