//! What a service entry is told.

use weir_resources::{Resolution, ServiceEntry};

use super::{ACCEPTED, PROGRAMMED, WAYPOINT_MISSING, Wanted};
use crate::index::Owner;
use crate::publish::{Published, Visibility};

impl Wanted {
    pub(crate) fn say_entry(&mut self, entry: &ServiceEntry, published: &Published) {
        let conflicts = published.conflicts.iter().map(|(host, owner)| match owner {
            Owner::Service(namespace, name) => format!("host {host:?} is that of Service {namespace}/{name}"),
            Owner::ServiceEntry(namespace, name) => {
                format!("host {host:?} is that of the older ServiceEntry {namespace}/{name}")
            }
            Owner::Slice(..) | Owner::Entry(_) | Owner::Pod(_) => format!("host {host:?} is another's"),
        });
        let conflicts: Vec<_> = conflicts.collect();
        if !conflicts.is_empty() {
            self.say(ACCEPTED, false, "Conflict", format!("spec.hosts: {}", conflicts.join("; ")));
        } else if !published.left_out.is_empty() {
            self.say(ACCEPTED, false, "UnsupportedValue", published.left_out.join("; "));
        } else {
            self.say(ACCEPTED, true, "Accepted", "");
        }
        self.say_programmed(published);
        if published.binding.address.is_none() {
            self.say_waypoint_missing(entry);
        }
    }

    /// What only a waypoint can do is not done without one.
    fn say_waypoint_missing(&mut self, entry: &ServiceEntry) {
        let wildcard = entry.hosts.iter().any(|host| host.starts_with('*'));
        if wildcard && entry.resolution == Resolution::DynamicDns {
            let message = "names behind a wildcard are resolved by a waypoint, and it has none: label it istio.io/use-waypoint";
            self.say(WAYPOINT_MISSING, true, "NoWaypointForWildcardService", message);
        } else if entry.meta.annotations.get("istio.io/connect-strategy") == Some("RACE_FIRST_TCP_CONNECT") {
            let message = "annotation istio.io/connect-strategy: connections are raced by a waypoint, and it has none: \
                           label it istio.io/use-waypoint";
            self.say(WAYPOINT_MISSING, true, "NoWaypointForRacingConnectStrategy", message);
        }
    }

    fn say_programmed(&mut self, published: &Published) {
        match published.visibility {
            Visibility::Nowhere => {
                self.say(PROGRAMMED, false, "NotExported", "spec.exportTo \"~\": sent to nobody");
            }
            _ if published.services.is_empty() => {
                self.say(PROGRAMMED, false, "Conflict", "none of its hosts is its own: see Accepted");
            }
            Visibility::Narrowed => {
                let message = "sent to the nodes, and seen by clients of its own namespace only: \
                               spec.exportTo to other namespaces cannot be told to the nodes";
                self.say(PROGRAMMED, true, "VisibilityNarrowed", message);
            }
            Visibility::Public | Visibility::Namespace => {
                self.say(PROGRAMMED, true, "Programmed", "sent to the nodes");
            }
        }
    }
}
