//! Who may ask for what waypoints are told, and what for.
//!
//! A waypoint is given what was made for the waypoints of its own namespace, by the names in its requests; what was made
//! for others is not there for it. It is as with everything else that a stranger must not know: nobody can tell from the
//! answer whether there is something.
//!
//! That a client says it is a waypoint is enough for routes, which are no secret in their namespace. For secrets it must have
//! the service account of a pod that serves as one.

use weir_index::{Layer7, scoped, unread};
use weir_proto::discovery::DeltaDiscoveryRequest;

use super::Session;
use crate::auth::Caller;
use crate::store::Published;
use crate::xds::Refusal;
use crate::xds::response::Collection;

impl Session {
    /// The request with its names as they are in the picture.
    pub(super) fn by_name(
        &self,
        request: &DeltaDiscoveryRequest,
        collection: Collection,
        now: &Published,
    ) -> Result<DeltaDiscoveryRequest, Refusal> {
        let node = self.node.as_ref().ok_or(Refusal::NoNode)?;
        if !node.is_waypoint {
            return Err(Refusal::NotAWaypoint { kind: collection.label(), node: node.id.to_string() });
        }
        let is_secret = collection == Collection::Layer7(Layer7::Secret);
        let Caller { namespace, service_account, .. } = &self.caller;
        if is_secret && !now.snapshot.serves_as_waypoint(namespace, service_account) {
            return Err(Refusal::NoSecrets(self.caller.to_string()));
        }
        let is_first = !self.typed.iter().any(|typed| typed.collection == collection);
        let subscribe = &request.resource_names_subscribe;
        if subscribe.iter().any(|name| name == "*") || (is_first && subscribe.is_empty()) {
            return Err(Refusal::NoWildcard(collection.label()));
        }
        let inside = |name: &String| match collection {
            // A client of any namespace may call.
            Collection::Layer7(Layer7::Labels) => unread(name).to_string(),
            _ => scoped(&self.caller.namespace, name).to_string(),
        };
        let held = request.initial_resource_versions.iter();
        Ok(DeltaDiscoveryRequest {
            resource_names_subscribe: subscribe.iter().map(inside).collect(),
            // To give up everything is to give up names.
            resource_names_unsubscribe: request.resource_names_unsubscribe.iter().map(inside).collect(),
            initial_resource_versions: held.map(|(name, version)| (inside(name), version.clone())).collect(),
            ..DeltaDiscoveryRequest::default()
        })
    }
}
