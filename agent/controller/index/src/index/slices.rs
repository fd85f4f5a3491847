//! Endpoint slices come, change and go.

use std::sync::Arc;

use weir_resources::EndpointSlice;

use super::{Index, Owner};

impl Index {
    pub(super) fn change_slice(
        &mut self,
        namespace: &Arc<str>,
        name: &Arc<str>,
        mut new: Option<EndpointSlice>,
    ) {
        if let Some(new) = new.as_mut().filter(|new| new.meta.labels.get(MANAGED_BY) == Some(CONTROLLER)) {
            // Kubernetes wrote it from a selector, and we have the selector: the pods are not kept twice.
            new.endpoints.retain(|endpoint| endpoint.pod.is_none());
        }
        let known = self.world.slices.get(namespace, name);
        if new.as_ref() == known {
            return;
        }
        let (before, after) = (known.and_then(service_of), new.as_ref().and_then(service_of));
        let is_there = new.is_some();
        self.touch_slice(namespace, name);
        self.world.slices.set(namespace, name, new);
        self.touch_slice(namespace, name);
        if before != after {
            self.file_slice(namespace, name, before, false);
            self.file_slice(namespace, name, after, true);
        }
        if !is_there {
            self.make(&Owner::Slice(namespace.clone(), name.clone()), Vec::new());
        }
    }

    /// A slice, and the pods that it names.
    pub(super) fn touch_slice(&mut self, namespace: &Arc<str>, name: &Arc<str>) {
        self.dirty.insert(Owner::Slice(namespace.clone(), name.clone()));
        let Some(slice) = self.world.slices.get(namespace, name) else { return };
        let pods = slice.endpoints.iter().filter_map(|endpoint| endpoint.pod.as_ref());
        let pods = pods.filter_map(|(namespace, name)| self.world.pods.id(namespace, name));
        self.dirty.extend(pods.map(Owner::Pod));
    }

    fn file_slice(&mut self, namespace: &Arc<str>, name: &Arc<str>, service: Option<Arc<str>>, add: bool) {
        let Some(service) = service else { return };
        let mut slices = self.world.slices_of.set(namespace, &service, None).unwrap_or_default();
        if add {
            slices.insert(name.clone())
        } else {
            slices.remove(name)
        };
        let slices = Some(slices).filter(|slices| !slices.is_empty());
        self.world.slices_of.set(namespace, &service, slices);
    }
}

/// The service that a slice is of.
pub(crate) fn service_of(slice: &EndpointSlice) -> Option<Arc<str>> {
    slice.meta.labels.get("kubernetes.io/service-name").map(Arc::from)
}

const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const CONTROLLER: &str = "endpointslice-controller.k8s.io";
