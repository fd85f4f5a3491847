//! How endpoints are reached: in the mesh's tunnel those that are in the mesh, and the others as they are.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use weir_discovery::Store;
use weir_model::{Identity, Workload};
use weir_tunnel::core::trace::TraceParent;
use weir_tunnel::gateway::{self, Gateway};

use super::stream::Local;
use crate::balance::Address;
use crate::proxy::{ConnectError, Connector, PlainConnector, Stream, Target};

/// Connections of one worker.
pub(super) struct Reach {
    pub(super) gateway: Rc<Gateway>,
    pub(super) store: Store,
    pub(super) uid: Arc<str>,
}

impl Connector for Reach {
    fn connect(&self, target: Target) -> LocalBoxFuture<'static, Result<Stream, ConnectError>> {
        if !target.endpoint.form().tunnel {
            return PlainConnector.connect(target);
        }
        let (gateway, to) = (self.gateway.clone(), self.tunnel(&target));
        Box::pin(async move {
            let stream = gateway.connect(&to?).await;
            let failed = |error| ConnectError::Io {
                address: target.endpoint.address().clone(),
                error: Rc::new(std::io::Error::other(error)),
            };
            Ok(Box::new(Local::new(stream.map_err(failed)?)) as Stream)
        })
    }
}

impl Reach {
    fn tunnel(&self, target: &Target) -> Result<gateway::Target, ConnectError> {
        let form = target.endpoint.form();
        let Address::Socket(addr) = *target.endpoint.address() else {
            return Err(ConnectError::Unsupported("it has only a name, and tunnels go to addresses"));
        };
        let expected: Identity = form
            .identity
            .parse()
            .map_err(|_| ConnectError::Unsupported("it is in the mesh and has no identity to expect"))?;
        let directory = self.store.load();
        // It may be known here a moment before the mesh has it.
        let unknown = || Arc::new(Workload::pod(&form.workload_namespace, &form.workload));
        let workload = directory.workload(&form.uid).cloned().unwrap_or_else(unknown);
        let own = directory.workload(&self.uid).and_then(|own| own.addresses.first().copied());
        Ok(gateway::Target {
            workload,
            addr,
            expected: vec![expected],
            gateway: None,
            service: None,
            // The connection serves one of the account's pods after another: the address is the waypoint's own.
            client: SocketAddr::new(own.unwrap_or(addr.ip()), 0),
            source: target.source.clone(),
            trace: TraceParent::random(),
        })
    }
}
