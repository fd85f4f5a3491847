//! What the rules of a VirtualService are translated for.

use super::VirtualService;
use crate::{Lookup, Mesh, Service};

/// One VirtualService, at one port of one service.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) mesh: &'a Mesh,
    pub(crate) lookup: &'a dyn Lookup,
    pub(crate) virtual_service: &'a VirtualService,
    /// Delegates are among them.
    pub(crate) others: &'a [VirtualService],
    /// The service and its port; `None` when it is only looked for problems.
    pub(crate) own: Option<(&'a Service, u16)>,
}

impl<'a> Context<'a> {
    pub(super) fn namespace(&self) -> &'a str {
        &self.virtual_service.meta.namespace
    }

    /// Whether what is for this port (or for all) is for ours.
    pub(super) fn is_port(&self, port: Option<crate::value::Port>) -> bool {
        match (port, self.own) {
            (Some(port), Some((_, own))) => port.0 == own,
            _ => true,
        }
    }

    /// Whether what is for these gateways (or for those of the whole) is for the mesh.
    pub(super) fn is_mesh(gateways: &[String]) -> bool {
        gateways.is_empty() || gateways.iter().any(|name| name == super::MESH)
    }

    /// The same at another VirtualService.
    pub(super) fn at(self, virtual_service: &'a VirtualService) -> Self {
        Self { virtual_service, ..self }
    }
}
