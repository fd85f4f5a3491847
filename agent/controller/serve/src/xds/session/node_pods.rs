//! Who is told of the pods of a node: the agent that proved to be there, and nobody else. What a client says of its node
//! counts for nothing here.

use std::sync::Arc;

use weir_index::scoped;
use weir_proto::discovery::DeltaDiscoveryRequest;

use super::Session;
use crate::xds::Refusal;
use crate::xds::response::Collection;

impl Session {
    /// The caller's node, and the request with its names as they are in the picture.
    pub(super) fn of_its_node(
        &self,
        request: &DeltaDiscoveryRequest,
    ) -> Result<(Arc<str>, DeltaDiscoveryRequest), Refusal> {
        let node = self.place.clone().map_err(Refusal::NoNodesAgent)?;
        let names = [&request.resource_names_subscribe, &request.resource_names_unsubscribe];
        if names.iter().any(|names| names.iter().any(|name| name != "*")) {
            return Err(Refusal::OnlyAll(Collection::NodePod.label()));
        }
        let held = request.initial_resource_versions.iter();
        let held = held.map(|(name, version)| (scoped(&node, name).to_string(), version.clone())).collect();
        let inside = DeltaDiscoveryRequest {
            resource_names_subscribe: request.resource_names_subscribe.clone(),
            resource_names_unsubscribe: request.resource_names_unsubscribe.clone(),
            initial_resource_versions: held,
            ..DeltaDiscoveryRequest::default()
        };
        Ok((node, inside))
    }
}
